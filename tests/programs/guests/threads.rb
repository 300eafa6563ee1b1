# What Ruby's threads do to each other: queues, conditions, timeouts, interrupts. Prints what it has found.
require "timeout"
require "socket"

queue = Queue.new
workers = 20.times.map { Thread.new { 100.times.sum { queue.pop } } }
(1..2000).each { |i| queue << i }
puts "sum #{workers.sum(&:value)}"

lock, changed, turn = Mutex.new, ConditionVariable.new, 0
2.times.map { |me|
  Thread.new {
    500.times { lock.synchronize { changed.wait(lock) until turn % 2 == me; turn += 1; changed.broadcast } }
  }
}.each(&:join)
puts "turns #{turn}"

begin
  Timeout.timeout(0.2) { sleep }
rescue Timeout::Error
  puts "a sleep is timed out"
end

reader, writer = IO.pipe
blocked = Thread.new { reader.read(1) }
sleep 0.1
blocked.kill
puts "a read is killed" if blocked.join(10)

blocked = Thread.new {
  begin
    TCPServer.new("127.0.0.1", 0).accept
  rescue IOError => e
    e.message
  end
}
sleep 0.1
blocked.raise(IOError, "an accept is interrupted")
puts blocked.value

sleeper = Thread.new { sleep }
sleep 0.1
sleeper.wakeup
puts "a sleep is woken" if sleeper.join(10)

pid = fork { exit!(Thread.new { 3 }.value) }
Process.wait(pid)
puts "a child says #{$?.exitstatus}"
puts `echo a command`

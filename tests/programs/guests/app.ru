# What Puma serves: a page after a moment, and one that all threads count in.
lock = Mutex.new
n = 0
run lambda { |env|
  case env["PATH_INFO"]
  when "/sleep"
    sleep 0.2
    [200, { "Content-Type" => "text/plain" }, ["slept"]]
  else
    lock.synchronize { n += 1 }
    [200, { "Content-Type" => "text/plain" }, ["hello"]]
  end
}

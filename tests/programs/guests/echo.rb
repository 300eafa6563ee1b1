# An echo server, a thread for each client: echo.rb PORT.
require "socket"

server = TCPServer.new("127.0.0.1", ARGV[0].to_i)
server.listen(4096)
loop do
  Thread.new(server.accept) do |client|
    client.setsockopt(:TCP, :NODELAY, 1)
    loop { client.write(client.readpartial(4096)) }
  rescue EOFError, SystemCallError
    client.close
  end
end

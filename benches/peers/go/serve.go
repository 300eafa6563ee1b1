package main

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// timeout is that of the kit.
const timeout = 30 * time.Second

const chatMessage = 64

func echoTCP() {
	serve("tcp", "127.0.0.1:0", echo)
}

func echoUnix() {
	serve("unix", settings["path"], echo)
}

// serve accepts for ever and gives each client a goroutine. Go sets TCP_NODELAY by itself.
func serve(network, address string, client func(net.Conn)) {
	listener, err := net.Listen(network, address)
	must(err)
	ready(listener.Addr())
	for {
		stream, err := listener.Accept()
		must(err)
		go client(stream)
	}
}

func echo(stream net.Conn) {
	defer stream.Close()
	bytes := make([]byte, number("buffer", 4096))
	for {
		n, err := stream.Read(bytes)
		if err != nil {
			return
		}
		if _, err = stream.Write(bytes[:n]); err != nil {
			return
		}
	}
}

func echoWithTimeouts() {
	serve("tcp", "127.0.0.1:0", echoWithin)
}

// echoWithin sets the deadline of each read, and of each write.
func echoWithin(stream net.Conn) {
	defer stream.Close()
	bytes := make([]byte, number("buffer", 4096))
	for {
		if stream.SetReadDeadline(time.Now().Add(timeout)) != nil {
			return
		}
		n, err := stream.Read(bytes)
		if err != nil {
			return
		}
		if stream.SetWriteDeadline(time.Now().Add(timeout)) != nil {
			return
		}
		if _, err = stream.Write(bytes[:n]); err != nil {
			return
		}
	}
}

func echoUDP() {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	ready(socket.LocalAddr())
	bytes := make([]byte, number("buffer", 4096))
	for {
		n, from, err := socket.ReadFromUDPAddrPort(bytes)
		must(err)
		_, err = socket.WriteToUDPAddrPort(bytes[:n], from)
		must(err)
	}
}

// plaintext is the server of the standard library.
func plaintext() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	ready(listener.Addr())
	hello := []byte("Hello, World!")
	must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(hello)
	})))
}

// mailbox is an unbounded channel, which Go does not have: a list under a lock, and a signal that
// it is not empty.
type mailbox struct {
	lock    sync.Mutex
	bytes   []byte
	arrived chan struct{}
}

func (m *mailbox) put(message []byte) {
	m.lock.Lock()
	m.bytes = append(m.bytes, message...)
	m.lock.Unlock()
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// take swaps the list for an empty one.
func (m *mailbox) take(empty []byte) []byte {
	<-m.arrived
	m.lock.Lock()
	full := m.bytes
	m.bytes = empty[:0]
	m.lock.Unlock()
	return full
}

func chat() {
	var lock sync.Mutex
	var members []*mailbox
	serve("tcp", "127.0.0.1:0", func(stream net.Conn) {
		mine := &mailbox{arrived: make(chan struct{}, 1)}
		lock.Lock()
		members = append(members, mine)
		lock.Unlock()
		go func() {
			for full := []byte(nil); ; {
				full = mine.take(full)
				if _, err := stream.Write(full); err != nil {
					return
				}
			}
		}()
		message := make([]byte, chatMessage)
		for {
			if _, err := io.ReadFull(stream, message); err != nil {
				return
			}
			lock.Lock()
			for _, member := range members {
				member.put(message)
			}
			lock.Unlock()
		}
	})
}

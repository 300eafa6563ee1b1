package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// Clients of the scene `beside`, and how long each of them sleeps between two echoes.
	clients = 8
	pause   = 2 * time.Millisecond
	// How long who computes sleeps between two bursts.
	breath = time.Millisecond

	besideMessage = 64
)

// pauses says how long a client sleeps between two echoes: as the kit's of the same name.
type pauses struct {
	drifting bool
	state    uint32
}

func (p *pauses) next() time.Duration {
	if !p.drifting {
		return pause
	}
	p.state = p.state*1_664_525 + 1_013_904_223
	return pause/2 + pause*time.Duration(p.state>>16)/(1<<16)
}

func burst() time.Duration {
	return time.Duration(number("burst", 5)) * time.Millisecond
}

// compute computes for that long, by the clock on the wall.
func compute(burst time.Duration) {
	for begin := time.Now(); time.Since(begin) < burst; {
	}
}

// beside has clients ask for echoes beside goroutines that compute.
func beside() {
	burst := burst()
	span := time.Duration(max(number("target", 1_000), 1_000)) * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		for {
			stream, err := listener.Accept()
			must(err)
			go echoExactly(stream)
		}
	}()
	var stop atomic.Bool
	for range number("burners", 1) {
		go func() {
			for !stop.Load() {
				compute(burst)
				time.Sleep(breath)
			}
		}()
	}
	roundTrips := make([][]time.Duration, clients)
	drifting := number("drifting", 0) != 0
	together(clients, func(client int) {
		pauses := pauses{drifting, uint32(client)}
		roundTrips[client] = ask(listener.Addr().String(), pauses, span/4, span)
	})
	stop.Store(true)
	tell(slices.Concat(roundTrips...))
}

func echoExactly(stream net.Conn) {
	defer stream.Close()
	message := make([]byte, besideMessage)
	for {
		if _, err := io.ReadFull(stream, message); err != nil {
			return
		}
		if _, err := stream.Write(message); err != nil {
			return
		}
	}
}

func ask(address string, pauses pauses, warm, span time.Duration) (roundTrips []time.Duration) {
	stream, err := net.Dial("tcp", address)
	must(err)
	defer stream.Close()
	message := make([]byte, besideMessage)
	for start := time.Now(); time.Since(start) < warm+span; time.Sleep(pauses.next()) {
		begin := time.Now()
		_, err := stream.Write(message)
		must(err)
		_, err = io.ReadFull(stream, message)
		must(err)
		if time.Since(start) >= warm {
			roundTrips = append(roundTrips, time.Since(begin))
		}
	}
	return roundTrips
}

// tell prints how long the echoes took.
func tell(roundTrips []time.Duration) {
	slices.Sort(roundTrips)
	count := len(roundTrips)
	at := func(thousandths int) int64 { return roundTrips[count*thousandths/1_000].Nanoseconds() }
	fmt.Printf("result ops=%d p50=%d p90=%d p99=%d max=%d\n",
		count, at(500), at(900), at(990), roundTrips[count-1].Nanoseconds())
}

// forkJoin does two halves of some work, one of them on a new goroutine; one operation is both.
func forkJoin() {
	burst := burst()
	measure(func(count int) {
		for range count {
			done := make(chan struct{})
			go func() {
				compute(burst)
				close(done)
			}()
			compute(burst)
			<-done
		}
	})
}

package main

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A wait that is always ended by the other side long before it is over.
const long = 100 * time.Second

func cpuTime() int64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// together runs one on as many goroutines and waits for all of them.
func together(threads int, one func(thread int)) {
	var all sync.WaitGroup
	for thread := range threads {
		all.Add(1)
		go func() {
			defer all.Done()
			one(thread)
		}()
	}
	all.Wait()
}

func yields() {
	threads := number("threads", 2)
	measure(func(count int) {
		together(threads, func(int) {
			for range count / threads {
				runtime.Gosched()
			}
		})
	})
}

// spawnAndJoin joins by a channel, as Go does it.
func spawnAndJoin() {
	measure(func(count int) {
		for range count {
			done := make(chan struct{})
			go close(done)
			<-done
		}
	})
}

func batch() {
	measureTwice(number("count", 10_000), func(count int) {
		together(count, func(int) {})
	})
}

// channel has room for one number each way, so that no send waits.
func channel() {
	measure(func(count int) {
		there, back := make(chan int, 1), make(chan int, 1)
		go func() {
			for number := range there {
				back <- number
			}
		}()
		for number := range count {
			there <- number
			if <-back != number {
				panic("another number came back")
			}
		}
		close(there)
	})
}

func mutex() {
	threads := number("threads", 1)
	measure(func(count int) {
		var lock sync.Mutex
		var start sync.WaitGroup
		start.Add(threads)
		sum := 0
		together(threads, func(int) {
			start.Done()
			start.Wait()
			for range count / threads {
				lock.Lock()
				sum++
				lock.Unlock()
			}
		})
		if sum != count/threads*threads {
			panic("the lock let two in")
		}
	})
}

func condvar() {
	measure(func(count int) {
		turn := 0
		changed := sync.NewCond(&sync.Mutex{})
		together(2, func(mine int) {
			for range count {
				changed.L.Lock()
				for turn != mine {
					changed.Wait()
				}
				turn = 1 - mine
				changed.Signal()
				changed.L.Unlock()
			}
		})
	})
}

// park is a channel of room one, the nearest that Go has to a thread's token.
func park() {
	pingPong(func(token chan struct{}) { <-token })
}

func timer() {
	pingPong(func(token chan struct{}) {
		alarm := time.NewTimer(long)
		select {
		case <-token:
			alarm.Stop()
		case <-alarm.C:
			panic("the other side is quick")
		}
	})
}

func pingPong(wait func(token chan struct{})) {
	measure(func(count int) {
		here, there := make(chan struct{}, 1), make(chan struct{}, 1)
		together(2, func(player int) {
			for range count {
				if player == 0 {
					there <- struct{}{}
					wait(here)
				} else {
					wait(there)
					here <- struct{}{}
				}
			}
		})
	})
}

func lookup() {
	threads := number("threads", 8)
	measure(func(count int) {
		together(threads, func(int) {
			for range (count + threads - 1) / threads {
				_, err := net.LookupHost("localhost")
				must(err)
			}
		})
	})
}

func file() {
	threads := number("threads", 8)
	_, path, _, _ := runtime.Caller(0)
	measure(func(count int) {
		together(threads, func(int) {
			var header [64]byte
			for range (count + threads - 1) / threads {
				file, err := os.Open(path)
				must(err)
				_, err = io.ReadFull(file, header[:])
				must(err)
				must(file.Close())
			}
		})
	})
}

var sink atomic.Uint64

// shares is fifteen sums of remainders, each on a goroutine.
func shares() {
	threads, rounds := number("shares", 15), uint64(number("rounds", 10_000_000))
	measureTwice(threads, func(int) {
		together(threads, func(share int) {
			divisor, sum := uint64(share+2), uint64(0)
			for i := range rounds {
				sum += i % divisor
			}
			sink.Add(sum)
		})
	})
}

func sleepers() {
	count := number("count", 10_000)
	var asleep atomic.Int64
	start := time.Now()
	for range count {
		go func() {
			asleep.Add(1)
			time.Sleep(time.Hour)
		}()
	}
	for asleep.Load() < int64(count) {
		time.Sleep(time.Millisecond)
	}
	ready(time.Since(start).Nanoseconds())
	time.Sleep(time.Hour)
}

// The same scenes in Go; a goroutine per client.
//
// The suite builds this where it finds a `go` tool, and starts it as it starts every other peer.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The exit code that says: this peer has no such scene.
const unsupported = 3

var settings = map[string]string{}

// number returns the number set for key, or preset.
func number(key string, preset int) int {
	text, set := settings[key]
	if !set {
		return preset
	}
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func ready(address any) {
	fmt.Println("ready", address)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// measure times run, which does the operation as often as it is told; the count grows until a run
// lasts as long as the suite asks for and another one with the same count does so, too.
func measure(run func(count int)) {
	target := time.Duration(number("target", 100)) * time.Millisecond
	longEnough := false
	for count := number("start", 64); ; {
		wall, cpu := timed(func() { run(count) })
		if wall >= target {
			if longEnough {
				fmt.Printf("result ops=%d ns=%d cpu_ns=%d\n", count, wall.Nanoseconds(), cpu)
				return
			}
			longEnough = true
			continue
		}
		longEnough = false
		wanted := float64(target) / float64(max(wall, 1)) * 1.1
		count = int(float64(count) * min(max(wanted, 1.5), 20))
	}
}

// measureTwice times run once cold and once again, for scenes whose size is the point.
func measureTwice(count int, run func(count int)) {
	first, cpu := timed(func() { run(count) })
	again, _ := timed(func() { run(count) })
	fmt.Printf("result ops=%d ns=%d cpu_ns=%d again_ns=%d\n",
		count, first.Nanoseconds(), cpu, again.Nanoseconds())
}

func timed(run func()) (time.Duration, int64) {
	start, cpu := time.Now(), cpuTime()
	run()
	return time.Since(start), cpuTime() - cpu
}

func main() {
	for _, word := range os.Args[2:] {
		key, value, _ := strings.Cut(word, "=")
		settings[key] = value
	}
	runtime.GOMAXPROCS(number("workers", 1))
	scenes := map[string]func(){
		"echo-tcp":  echoTCP,
		"timeouts":  echoWithTimeouts,
		"echo-unix": echoUnix,
		"echo-udp":  echoUDP,
		"http":      plaintext,
		"chat":      chat,
		"yield":     yields,
		"spawn":     spawnAndJoin,
		"batch":     batch,
		"channel":   channel,
		"mutex":     mutex,
		"condvar":   condvar,
		"park":      park,
		"timer":     timer,
		"lookup":    lookup,
		"beside":    beside,
		"fork-join": forkJoin,
		"file":      file,
		"sleepers":  sleepers,
		"cpu":       shares,
	}
	scene, known := scenes[os.Args[1]]
	if !known {
		os.Exit(unsupported)
	}
	scene()
}

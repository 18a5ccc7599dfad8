package main

import (
	"runtime"
	"syscall"
	"time"
)

// sample is what one operation cost.
type sample struct {
	wall, cpu     float64 // nanoseconds; cpu is that of the whole process, its garbage collector included
	bytes, allocs float64
}

// A subject is an operation to measure. Its run does it n times.
type subject struct {
	group, name string
	run         func(n int)
	n           int // operations in a sample
}

// calibrate finds how often run is called for a sample of about that long.
func (s *subject) calibrate(length time.Duration) {
	for s.n = 1; ; s.n *= 2 {
		start := time.Now()
		s.run(s.n)
		if took := time.Since(start); took >= length/4 {
			s.n = max(1, int(float64(s.n)*float64(length)/float64(took)))
			return
		}
	}
}

func (s *subject) measure() sample {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wall, cpu := time.Now(), cpuTime()
	s.run(s.n)
	cpu, took := cpuTime()-cpu, time.Since(wall)
	runtime.ReadMemStats(&after)
	n := float64(s.n)
	return sample{
		wall: float64(took) / n, cpu: float64(cpu) / n,
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// Command bench measures Jotsmith's token core beside other libraries and
// beside the bare cryptography: in one process, in rounds in which everything
// is measured once, so that a machine that slows down slows all of it.
//
// It prints the lines that benchstat reads, and writes a table of the ratios
// with -out. It refuses to compare times of different machines: a baseline is
// compared by its ratios.
//
// The module is not part of the workspace: the libraries that it measures are
// nobody's dependency. Run it with `make bench`.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 11, "how often everything is measured; at least 10 for benchstat")
	length := flag.Duration("sample", 40*time.Millisecond, "about how long one sample takes")
	only := flag.String("only", "", "measure only groups whose name contains this")
	out := flag.String("out", "", "write the table of ratios to this file")
	baseline := flag.String("baseline", "", "compare the ratios with those in this file, and fail if one got worse")
	slack := flag.Float64("slack", 0.15, "by which part a ratio may exceed the baseline's")
	flag.Parse()

	r := &results{samples: make(map[string][]sample)}
	wanted := func(group string) bool { return strings.Contains(group, *only) }
	var small []*subject
	for _, alg := range measured {
		if wanted("verify "+alg) || wanted("sign "+alg) {
			small = append(small, algorithmSubjects(alg)...)
		}
	}
	for _, names := range sealingNames {
		small = append(small, decryptSubjects(names[0], names[1])...)
	}
	for _, n := range []int{1, 1000} {
		if wanted(warmGroup(n)) {
			small = append(small, warmSubjects(n)...)
		}
	}
	if wanted(missedGroup) {
		small = append(small, missedSubjects()...)
	}
	r.measure(small, *rounds, *length, wanted)
	small = nil
	if n := 1_000_000; wanted(warmGroup(n)) { // last: two gigabytes of tokens would disturb the rest
		r.measure(warmSubjects(n), *rounds, *length, wanted)
	}

	r.print(os.Stdout)
	if *out != "" {
		if err := os.WriteFile(*out, []byte(r.table()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if *baseline != "" && !r.compare(*baseline, *slack) {
		os.Exit(1)
	}
}

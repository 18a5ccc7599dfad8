package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestQuantiles compares with what sorting says.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	var h histogram
	var all []time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2) * float64(time.Millisecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	s := h.snapshot()
	for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(int(q*float64(len(all))+0.5)-1, 0)]
		if got := s.Quantile(q); got < want || float64(got) > 1.035*float64(want) {
			t.Errorf("quantile %v is %v, want %v and at most 3.5 %% more", q, got, want)
		}
	}
	if s.Max() != all[len(all)-1] || s.Count() != 10_000 {
		t.Errorf("the longest of %d is %v, want %v", s.Count(), s.Max(), all[len(all)-1])
	}
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	if s.Mean() != sum/10_000 {
		t.Errorf("the mean is %v, want %v", s.Mean(), sum/10_000)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-1, 0, 1, 63, 64, 65, 127, 128, 1000, time.Millisecond, time.Second, time.Hour, math.MaxInt64} {
		b := bucket(d)
		if b < 0 || b >= bucketCount {
			t.Fatalf("%v is in bucket %d of %d", d, b, bucketCount)
		}
		if d > above(b) && b != bucketCount-1 || b > 0 && d < above(b-1) {
			t.Errorf("%d ns is in the bucket up to %d", d, above(b))
		}
	}
	for b := 1; b < bucketCount; b++ {
		if above(b) <= above(b-1) || bucket(above(b-1)) != b {
			t.Fatalf("bucket %d ends at %v, the one before at %v", b, above(b), above(b-1))
		}
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	var h histogram
	if got := h.snapshot().Bars(); len(got) != 0 {
		t.Errorf("bars of nothing: %v", got)
	}
	for _, d := range []time.Duration{time.Millisecond, time.Millisecond, 5 * time.Millisecond} {
		h.add(d)
	}
	sum := h.snapshot().plus(Times{}).plus(h.snapshot())
	got := sum.Bars()
	if len(got) != 4 || got[0].Count != 4 || got[1].Count+got[2].Count != 0 || got[3].Count != 2 || got[3].UpTo < 5*time.Millisecond {
		t.Errorf("bars: %v", got)
	}
}

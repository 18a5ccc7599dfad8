package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts times in buckets that are each 3 % wide, from 64 ns to
// 4 min; what lies beyond goes into the first or the last.
type histogram struct {
	buckets [bucketCount]atomic.Int64
	sum     atomic.Int64
	most    atomic.Int64
}

const (
	subBits     = 5  // 32 buckets for each power of two
	firstPower  = 6  // 64 ns
	lastPower   = 37 // 2^38 ns are more than 4 min
	bucketCount = (lastPower - firstPower + 1) << subBits
)

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(d)].Add(1)
	h.sum.Add(int64(d))
	for {
		most := h.most.Load()
		if int64(d) <= most || h.most.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	power := bits.Len64(n) - 1
	switch {
	case power < firstPower:
		return 0
	case power > lastPower:
		return bucketCount - 1
	}
	sub := int(n>>(power-subBits)) & (1<<subBits - 1)
	return (power-firstPower)<<subBits + sub
}

// above is the upper end of a bucket.
func above(bucket int) time.Duration {
	power := bucket>>subBits + firstPower
	sub := bucket & (1<<subBits - 1)
	return time.Duration(uint64(1)<<power + uint64(sub+1)<<(power-subBits))
}

func (h *histogram) snapshot() Times {
	t := Times{sum: time.Duration(h.sum.Load()), most: time.Duration(h.most.Load()), buckets: make([]int64, bucketCount)}
	for i := range h.buckets {
		t.buckets[i] = h.buckets[i].Load()
		t.count += t.buckets[i]
	}
	return t
}

// Times are how long operations took, to within 3 %.
type Times struct {
	buckets []int64
	count   int64
	sum     time.Duration
	most    time.Duration
}

// Count is how many there are.
func (t Times) Count() int64 { return t.count }

// Max is the longest, exactly.
func (t Times) Max() time.Duration { return t.most }

// Mean is their average, exactly; 0 where there are none.
func (t Times) Mean() time.Duration {
	if t.count == 0 {
		return 0
	}
	return t.sum / time.Duration(t.count)
}

// Quantile is the time that a share q, 0 to 1, of the operations did not
// exceed; 0 where there are none.
func (t Times) Quantile(q float64) time.Duration {
	if t.count == 0 {
		return 0
	}
	wanted := max(int64(q*float64(t.count)+0.5), 1)
	var seen int64
	for i, n := range t.buckets {
		if seen += n; seen >= wanted {
			return min(above(i), t.most)
		}
	}
	return t.most
}

// A Bar is how many operations took longer than the Bar before it says, and at
// most UpTo.
type Bar struct {
	UpTo  time.Duration
	Count int64
}

// Bars divide the times by the powers of two, from the first that is not empty
// to the last.
func (t Times) Bars() (all []Bar) {
	empty := 0
	for power := 0; power<<subBits < len(t.buckets); power++ {
		var n int64
		for _, in := range t.buckets[power<<subBits : (power+1)<<subBits] {
			n += in
		}
		if all == nil && n == 0 {
			continue
		}
		all = append(all, Bar{above((power+1)<<subBits - 1), n})
		if empty++; n > 0 {
			empty = 0
		}
	}
	return all[:len(all)-empty]
}

func (t Times) plus(o Times) Times {
	sum := Times{count: t.count + o.count, sum: t.sum + o.sum, most: max(t.most, o.most), buckets: make([]int64, bucketCount)}
	copy(sum.buckets, t.buckets)
	for i, n := range o.buckets {
		sum.buckets[i] += n
	}
	return sum
}

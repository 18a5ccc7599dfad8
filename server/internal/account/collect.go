package account

import (
	"runtime"
	"runtime/metrics"
)

// enough is how much may lie about when a hash ends before it is collected: a
// hash of [DefaultHash] leaves more.
const enough = 16 << 20

// collect runs the garbage collector when hashes have left more than enough, and
// more than a quarter of what was in use when it ran last, so that a server that
// keeps much is not kept busy by it. The collector's own pace takes the blocks of
// the hashes that run for memory that the program keeps, and waits for twice as
// much. Who sets GOGC above 100, or off, has chosen memory over time.
//
// It is called while the slot is held: meanwhile nobody takes the next block.
func collect() {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	percent, live, all := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	if percent <= 100 && all > live+max(enough, live/4) {
		runtime.GC()
	}
}

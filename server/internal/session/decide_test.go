package session

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	limits = Limits{Idle: 7 * 24 * time.Hour, Grace: 30 * time.Second}
)

// living is the row of a session that was rotated to generation 20 at noon.
func living() Row {
	return Row{
		Session: Session{
			ID: "ses_1", Account: "acc_1", AccountVersion: 3,
			Client: FirstParty, Transport: Body,
			Generation: 20, MACKey: "00000001",
			CreatedAt: noon.Add(-time.Hour), RotatedAt: noon, ExpiresAt: noon.Add(30 * 24 * time.Hour),
		},
		Holder: account.Account{ID: "acc_1", Version: 3},
	}
}

// A presentation is one call of Decide: of generation 20 in a body at noon and
// a second, unless it says otherwise.
type presentation struct {
	name       string
	row        func(*Row)
	generation uint32
	p          Presented
	after      time.Duration
	want       Outcome
}

func decide(t *testing.T, tests []presentation) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			row := living()
			if tt.row != nil {
				tt.row(&row)
			}
			if tt.generation == 0 {
				tt.generation = 20
			}
			if tt.after == 0 {
				tt.after = time.Second
			}
			if got := Decide(row, tt.generation, tt.p.complete(), limits, noon.Add(tt.after)); got != tt.want {
				t.Errorf("Decide = row %d (%v), want row %d (%v)", got, got, tt.want, tt.want)
			}
		})
	}
}

func TestDecideRow02PresentedElsewhere(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "another app", p: Presented{Client: "app_other"}, want: Foreign},
		{name: "from a cookie", p: Presented{Transport: Cookie}, want: Foreign},
		{name: "begun in a cookie, from a body", row: func(r *Row) { r.Transport = Cookie }, want: Foreign},
		{name: "a registered app's token, without the app", row: func(r *Row) { r.Client = "app_1" }, want: Foreign},
		{name: "before theft", p: Presented{Client: "app_other"}, generation: 3, want: Foreign},
		{name: "before the end", p: Presented{Client: "app_other"}, row: func(r *Row) { r.EndedAt = noon }, want: Foreign},
		{name: "before an account that is disabled", p: Presented{Transport: Cookie}, row: func(r *Row) { r.Holder.Disabled = true }, want: Foreign},
	})
}

func TestDecideRow03Ended(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "ended", row: func(r *Row) { r.EndedAt = noon }, want: Ended},
		{name: "a microsecond before the idle limit", after: limits.Idle - time.Microsecond, want: Rotate},
		{name: "exactly at the idle limit", after: limits.Idle, want: Ended},
		{name: "after the idle limit", after: limits.Idle + time.Hour, want: Ended},
		{name: "a microsecond before the absolute limit", row: func(r *Row) { r.ExpiresAt = noon.Add(time.Second + time.Microsecond) }, want: Rotate},
		{name: "exactly at the absolute limit", row: func(r *Row) { r.ExpiresAt = noon.Add(time.Second) }, want: Ended},
		{name: "before a repetition", row: func(r *Row) { r.EndedAt = noon }, generation: 19, want: Ended},
		{name: "before theft", row: func(r *Row) { r.EndedAt = noon }, generation: 3, want: Ended},
		{name: "before a disabled account", row: func(r *Row) { r.EndedAt, r.Holder.Disabled = noon, true }, want: Ended},
		{name: "before a store that is behind", row: func(r *Row) { r.EndedAt = noon }, generation: 21, want: Ended},
		{name: "no generation is left", row: func(r *Row) { r.Generation = math.MaxUint32 }, generation: math.MaxUint32, want: Ended},
		{name: "one generation is left", row: func(r *Row) { r.Generation = math.MaxUint32 - 1 }, generation: math.MaxUint32 - 1, want: Rotate},
	})
}

func TestDecideRow04AccountDisabled(t *testing.T) {
	t.Parallel()
	disabled := func(r *Row) { r.Holder.Disabled, r.Holder.Version = true, 4 }
	decide(t, []presentation{
		{name: "disabled", row: disabled, want: Barred},
		{name: "before a repetition", row: disabled, generation: 19, want: Barred},
		{name: "before theft", row: disabled, generation: 3, want: Barred},
		{name: "before a store that is behind", row: disabled, generation: 21, want: Barred},
	})
}

func TestDecideRow05AccountChanged(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "account is newer", row: func(r *Row) { r.Holder.Version = 4 }, want: Changed},
		{name: "account is older", row: func(r *Row) { r.Holder.Version = 2 }, want: Changed},
		{name: "before theft", row: func(r *Row) { r.Holder.Version = 4 }, generation: 3, want: Changed},
	})
}

func TestDecideRow06Current(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "current", want: Rotate},
		{name: "the first ever", row: func(r *Row) { r.Generation = 1 }, generation: 1, want: Rotate},
		{name: "long after", after: 6 * 24 * time.Hour, want: Rotate},
		{name: "clock before the last rotation", after: -time.Hour, want: Rotate},
		{name: "forgiven at this generation", row: func(r *Row) { r.Forgiven = 20 }, want: Rotate},
	})
}

func TestDecideRow07RepeatedWithinGrace(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "at once", generation: 19, after: time.Nanosecond, want: Repeat},
		{name: "exactly the grace", generation: 19, after: limits.Grace, want: Repeat},
		{name: "a microsecond after the grace", generation: 19, after: limits.Grace + time.Microsecond, want: Forgive},
		{name: "clock before the last rotation", generation: 19, after: -time.Minute, want: Repeat},
		{name: "forgiven lately, does not matter", row: func(r *Row) { r.Forgiven = 15 }, generation: 19, want: Repeat},
	})
}

func TestDecideRow08RepeatedAfterForgiveness(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "forgiven at this generation", row: func(r *Row) { r.Forgiven = 20 }, generation: 19, after: time.Hour, want: RepeatLate},
		{name: "forgiven at the one before", row: func(r *Row) { r.Forgiven = 19 }, generation: 19, after: time.Hour, want: Theft},
	})
}

func TestDecideRow09AnswerLost(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "never forgiven", generation: 19, after: time.Hour, want: Forgive},
		{name: "forgiven 15 generations ago", row: func(r *Row) { r.Forgiven = 5 }, generation: 19, after: time.Hour, want: Theft},
		{name: "forgiven 16 generations ago", row: func(r *Row) { r.Forgiven = 4 }, generation: 19, after: time.Hour, want: Forgive},
		{name: "forgiven 17 generations ago", row: func(r *Row) { r.Forgiven = 3 }, generation: 19, after: time.Hour, want: Forgive},
		{name: "the very first answer", row: func(r *Row) { r.Generation = 2 }, generation: 1, after: time.Hour, want: Forgive},
	})
}

func TestDecideRow10Theft(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "succeeded twice, within the grace", generation: 18, after: time.Millisecond, want: Theft},
		{name: "succeeded twice, later", generation: 18, after: time.Hour, want: Theft},
		{name: "the first ever", generation: 1, want: Theft},
		{name: "forgiven one generation ago", row: func(r *Row) { r.Forgiven = 19 }, generation: 19, after: time.Minute, want: Theft},
		{name: "forgiveness does not reach further back", row: func(r *Row) { r.Forgiven = 20 }, generation: 18, after: time.Hour, want: Theft},
	})
}

func TestDecideRow11StoreBehind(t *testing.T) {
	t.Parallel()
	decide(t, []presentation{
		{name: "one ahead", generation: 21, want: Behind},
		{name: "far ahead", generation: math.MaxUint32, want: Behind},
		{name: "within the grace", generation: 21, after: time.Millisecond, want: Behind},
	})
}

func TestOutcomesHaveReasons(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for o := Foreign; o <= Behind; o++ {
		if seen[o.String()] || o.String() == "unknown outcome" {
			t.Errorf("row %d: reason %q", o, o)
		}
		seen[o.String()] = true
	}
	if Foreign != 2 || Behind != 11 {
		t.Error("the outcomes are not numbered as the rows are")
	}
}

// Random histories of one session, with clients that lose answers, send twice
// and steal, against a row that is changed only as Decide says:
//
//   - there is never more than one live chain: every token that was ever handed
//     out for a generation is the same one, since it is derived;
//   - once two parties have moved the chain, the session ends at the next use
//     of the older one's token;
//   - a lost answer is forgiven at most once in 16 generations;
//   - an ended session stays ended.
func TestDecideRandomHistories(t *testing.T) {
	t.Parallel()
	counts := map[Outcome]int{}
	for seed := range uint64(800) {
		random := rand.New(rand.NewPCG(seed, 7))
		row, now := living(), noon
		row.Generation, row.ExpiresAt = 1, noon.Add(1000*24*time.Hour)
		// What each of two parties holds: the owner, and from some point on a
		// thief who copied what the owner held then.
		holds := map[string]uint32{"owner": 1}
		var forgiven []uint32
		type use struct {
			who              string
			presented, stood uint32
			came             Outcome
		}
		var history []use
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s\nhistory (who, presented, stood, came): %v", seed, fmt.Sprintf(format, args...), history)
		}
		for range 200 {
			now = now.Add([]time.Duration{time.Millisecond, time.Second, 29 * time.Second, time.Minute, time.Hour}[random.IntN(5)])
			who := "owner"
			if _, stolen := holds["thief"]; stolen && random.IntN(2) == 0 {
				who = "thief"
			} else if !stolen && random.IntN(50) == 0 {
				holds["thief"] = holds["owner"]
			}
			generation, before := holds[who], row
			if generation > row.Generation {
				fail("%s holds generation %d, the row is at %d", who, generation, row.Generation)
			}
			o := Decide(row, generation, Presented{}.complete(), limits, now)
			counts[o]++
			history = append(history, use{who, generation, row.Generation, o})
			switch o {
			case Rotate:
				row.Generation, row.RotatedAt = row.Generation+1, now
			case Repeat, RepeatLate:
			case Forgive:
				if n := len(forgiven); n > 0 && row.Generation-forgiven[n-1] < ForgivenessGap {
					fail("forgiven at %d and %d", forgiven[n-1], row.Generation)
				}
				forgiven = append(forgiven, row.Generation)
				row.Forgiven = row.Generation
			case Theft:
				row.EndedAt = now
			case Ended:
				if before.EndedAt.IsZero() {
					fail("a living session was taken for ended")
				}
			default:
				fail("outcome %v", o)
			}
			if !before.EndedAt.IsZero() && o != Ended {
				fail("an ended session answered %v", o)
			}
			if row.EndedAt.IsZero() {
				// Success hands out the one successor. It is lost sometimes.
				if generation+1 < before.Generation {
					fail("a token succeeded twice got an answer")
				}
				if row.Generation != generation+1 {
					fail("the answer to %d is %d: a second chain", generation, row.Generation)
				}
				if random.IntN(10) > 0 {
					holds[who] = row.Generation
				}
			}
		}
		if _, stolen := holds["thief"]; !stolen && len(holds) != 1 {
			fail("parties %v", holds)
		}
	}
	for _, o := range []Outcome{Ended, Rotate, Repeat, RepeatLate, Forgive, Theft} {
		if counts[o] == 0 {
			t.Errorf("no history came to %v", o)
		}
	}
}

// A thief and an owner who both go on using what they hold cannot both keep
// going, however they take turns.
func TestDecideTwoPartiesNeverLast(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 11))
		row, now := living(), noon
		row.Generation, row.ExpiresAt = 1, noon.Add(1000*24*time.Hour)
		holds := [2]uint32{1, 1}
		uses := 0
		for row.EndedAt.IsZero() {
			if uses++; uses > 200 {
				t.Fatalf("seed %d: two parties still go on after 200 uses, at generation %d", seed, row.Generation)
			}
			who := random.IntN(2)
			now = now.Add(time.Duration(1+random.IntN(60)) * time.Minute)
			switch Decide(row, holds[who], Presented{}.complete(), limits, now) {
			case Rotate:
				row.Generation, row.RotatedAt = row.Generation+1, now
			case Forgive:
				row.Forgiven = row.Generation
			case Theft:
				row.EndedAt = now
			}
			holds[who] = row.Generation
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	row, now, p := living(), noon.Add(time.Second), Presented{}.complete()
	for b.Loop() {
		if Decide(row, 20, p, limits, now) != Rotate {
			b.Fatal()
		}
	}
}

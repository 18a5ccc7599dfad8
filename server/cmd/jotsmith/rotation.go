package main

import (
	"fmt"
	"time"
)

// rotationFlags say when the server rotates its keys.
type rotationFlags struct {
	KeyRotateEvery span `default:"90d" env:"JOTSMITH_KEY_ROTATE_EVERY" placeholder:"TIME" help:"From one rotation of a key to the next (${default}); 0: by 'jotsmith key rotate' only."`
	KeyLead        span `default:"24h" env:"JOTSMITH_KEY_LEAD" placeholder:"TIME" help:"For so long a key is published before it signs (${default}), at least 10m: longer than anybody caches the key set."`

	DangerouslyHurryKeys bool `hidden:"" help:"Allow key times that verifiers with a cached key set cannot follow. For tests of rotation."`
}

// minKeyLead is longer than a key set may be cached, by a poll of the ring and
// time to spare.
const minKeyLead = 10 * time.Minute

func (f rotationFlags) check() (faults []error) {
	every, lead := time.Duration(f.KeyRotateEvery), time.Duration(f.KeyLead)
	if lead < minKeyLead && !f.DangerouslyHurryKeys {
		faults = append(faults, fmt.Errorf("--key-lead %v is less than 10m: verifiers that cache the key set would refuse what a new key signs", f.KeyLead))
	}
	if every > 0 && every < 2*lead {
		faults = append(faults, fmt.Errorf("--key-rotate-every %v is less than twice --key-lead %v", f.KeyRotateEvery, f.KeyLead))
	}
	return faults
}

// rotation are the ring's, where they differ from its own defaults.
type rotation struct {
	lead, every, poll time.Duration
	margin            time.Duration // 0 means keyMargin
}

func (f rotationFlags) rotation() rotation {
	t := rotation{lead: time.Duration(f.KeyLead), every: time.Duration(f.KeyRotateEvery)}
	if t.every == 0 {
		t.every = -1
	}
	if f.DangerouslyHurryKeys {
		t.poll, t.margin = max(t.lead/8, 50*time.Millisecond), t.lead
	}
	return t
}

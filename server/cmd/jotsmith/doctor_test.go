package main

import (
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func TestDoctorAges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const d = 24 * time.Hour
	key := func(state string, since time.Duration) keyring.Key {
		return keyring.Key{ID: "k", Purpose: keyring.Access, State: state, CreatedAt: now.Add(-since), ActiveAt: now.Add(-since)}
	}
	for name, c := range map[string]struct {
		keys  []keyring.Key
		every time.Duration
		want  string
	}{
		"none yet":                       {nil, 90 * d, skipped},
		"young":                          {[]keyring.Key{key(keyring.Active, 89*d)}, 90 * d, fine},
		"due this moment":                {[]keyring.Key{key(keyring.Active, 90*d)}, 90 * d, fine},
		"overdue":                        {[]keyring.Key{key(keyring.Active, 91*d)}, 90 * d, problem},
		"old, rotated by command":        {[]keyring.Key{key(keyring.Active, 900*d)}, 0, fine},
		"retiring for long":              {[]keyring.Key{key(keyring.Retiring, 200*d), key(keyring.Active, d)}, 90 * d, fine},
		"announced for the future":       {[]keyring.Key{key(keyring.Active, 89*d), key(keyring.Announced, -d)}, 90 * d, fine},
		"announced and should sign long": {[]keyring.Key{key(keyring.Active, 89*d), key(keyring.Announced, time.Hour)}, 90 * d, warning},
	} {
		doc := doctor{cmd: &serveCmd{rotationFlags: rotationFlags{KeyRotateEvery: span(c.every)}}, now: now, keys: c.keys}
		doc.ages()
		if len(doc.diagnoses) != 1 || doc.diagnoses[0].State != c.want {
			t.Errorf("%s: %+v, want %s", name, doc.diagnoses, c.want)
			continue
		}
		if got := doc.diagnoses[0]; (got.State == problem || got.State == warning) && got.Remedy == "" {
			t.Errorf("%s: no remedy", name)
		}
	}
}

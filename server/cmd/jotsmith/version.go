package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker where a release is built.
var version string

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// buildInfo is what the Go tool wrote into the binary.
type buildInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"` // built from a tree with changes
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (cmd versionCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	b := readBuildInfo()
	if cmd.JSON {
		return c.json(b)
	}
	commit := ""
	if b.Commit != "" {
		commit = " commit " + b.Commit[:min(12, len(b.Commit))]
	}
	if b.Dirty {
		commit += " with changes"
	}
	fmt.Fprintf(c.out, "jotsmith %s%s (%s %s/%s)\n", b.Version, commit, b.Go, b.OS, b.Arch)
	return nil
}

func readBuildInfo() buildInfo {
	b := buildInfo{Version: cmp.Or(version, "(devel)"), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if version == "" && info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		}
	}
	return b
}

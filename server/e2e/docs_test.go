package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDocsCommands runs every command that the README and the docs show: the
// blocks of a page marked "sh", one after the other, in one shell and one new
// directory. A line that starts a server goes into the background, as in a
// terminal of its own. Targets of make are only checked to exist.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	pages := []string{"../../README.md"}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, more...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		commands := shellBlocks(string(text))
		if commands == "" {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			addr := freeAddr(t)
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "sh", "-eu")
			cmd.Dir = dir
			cmd.WaitDelay = 5 * time.Second
			cmd.Env = append(os.Environ(),
				"PATH="+filepath.Dir(jotsmith)+":"+os.Getenv("PATH"), "JOTSMITH_ADDR="+addr, "NO_COLOR=1")
			cmd.Stdin = strings.NewReader(script(t, commands, addr))
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, out.Bytes())
			}
		})
	}
}

// shellBlocks joins the blocks marked "sh".
func shellBlocks(text string) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		b.WriteString(m[1])
	}
	return b.String()
}

// offline are the commands that work on a stopped server.
var offline = regexp.MustCompile(`^jotsmith (account|key|api|role|app|session|token issue|token revoke)\b`)

// script turns a page's commands into one that ends by itself.
func script(t *testing.T, commands, addr string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("server=\nstop() { [ -z \"$server\" ] || { kill $server; wait $server; server=; }; }\ntrap stop EXIT\n")
	for line := range strings.Lines(strings.ReplaceAll(commands, "127.0.0.1:8080", addr)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "make "):
			target := strings.Fields(line)[1]
			make := exec.Command("make", "-n", target)
			make.Dir = "../.."
			if out, err := make.CombinedOutput(); err != nil {
				t.Errorf("make %s: %v\n%s", target, err, out)
			}
		case strings.HasPrefix(line, "jotsmith serve"):
			fmt.Fprintf(&b, "stop\n%s &\nserver=$!\n", line)
			fmt.Fprintf(&b, "curl -sS --retry 50 --retry-delay 0 --retry-all-errors --retry-max-time 20 -o /dev/null http://%s/readyz 2>/dev/null\n", addr)
		case offline.MatchString(line) && !strings.Contains(line, "--server"):
			fmt.Fprintf(&b, "stop\n%s\n", line)
		default:
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// Every relative link of the docs leads somewhere.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	pages, _ := filepath.Glob("../../*.md")
	docs, _ := filepath.Glob("../../docs/*.md")
	adr, _ := filepath.Glob("../../docs/adr/*.md")
	examples, _ := filepath.Glob("../../examples/*/README.md")
	link := regexp.MustCompile(`\]\(([^)#]+?)(#[^)]*)?\)`)
	for _, page := range append(append(append(pages, docs...), adr...), examples...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		prose := regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(string(text), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

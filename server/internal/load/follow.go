package load

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Follow begins n followers of the revocations, which wait for each new one
// until the target is cleaned up, as guards do.
func (t *Target) Follow(ctx context.Context, n int) error {
	if n < 0 || n > MaxFollowers {
		return fmt.Errorf("followers: 0 to %d", MaxFollowers)
	}
	ctx, t.halt = context.WithCancel(ctx)
	for range n {
		t.followers.Go(func() { t.follow(ctx) })
	}
	return nil
}

// Polls is how often followers have had an answer.
func (t *Target) Polls() int64 { return t.polls.Load() }

func (t *Target) follow(ctx context.Context) {
	client := newClient(1)
	defer client.CloseIdleConnections()
	cursor := ""
	for ctx.Err() == nil {
		next, err := t.poll(ctx, client, cursor)
		if err != nil {
			rest(ctx, time.Now().Add(time.Second))
			continue
		}
		t.polls.Add(1)
		cursor = next
	}
}

// poll waits for what follows the cursor and answers the next one. It reads the
// document and verifies nothing: no fact of it is used.
func (t *Target) poll(ctx context.Context, client *http.Client, after string) (next string, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", t.Base+"/v1/revocations?wait=25&after="+url.QueryEscape(after), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	switch {
	case err != nil:
		return "", unanswered(err)
	case resp.StatusCode != http.StatusOK:
		return "", &Refusal{Status: resp.StatusCode}
	}
	parts := strings.Split(string(body), ".")
	if len(parts) != 3 {
		return "", errors.New("an answer that is no document of revocations")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var at struct {
		Epoch string
		To    uint64
	}
	if err := json.Unmarshal(claims, &at); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s.%d", at.Epoch, at.To), nil
}

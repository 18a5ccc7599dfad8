package status

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

const (
	// MediaType is that of a list, §8.1, and Type its typ, §5.1.
	MediaType = "application/statuslist+jwt"
	Type      = "statuslist+jwt"

	// TTL is for how long a verifier may keep a list, and so how late it may
	// learn of a revocation; life is how long one is good where no new one can
	// be had.
	TTL  = 30 * time.Second
	life = 5 * time.Minute

	// kept is how long a node answers one list, every how often it asks the store
	// at most what was revoked since.
	kept         = 4 * time.Second
	every        = time.Second
	maxDocuments = 64
)

// A Document is one signed list.
type Document struct {
	Compact []byte
	ETag    string
}

// documents are the lists that were asked for last.
type documents struct {
	mu   sync.Mutex
	made map[string]*document
}

type document struct {
	at   time.Time
	done chan struct{} // closed once made
	Document
	err error
}

// at answers the document of a list and whether the caller has to make it.
func (d *documents) at(list string, now time.Time) (doc *document, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc, ok := d.made[list]; ok && now.Sub(doc.at) < kept {
		return doc, false
	}
	if d.made == nil || len(d.made) >= maxDocuments {
		d.made = make(map[string]*document)
	}
	doc = &document{at: now, done: make(chan struct{})}
	d.made[list] = doc
	return doc, true
}

func (d *documents) drop(list string, doc *document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made[list] == doc {
		delete(d.made, list)
	}
}

// List answers the signed list of that name, which is made once however many
// ask. fault.ErrNotFound where no token can be left that names it.
func (l *Lists) List(ctx context.Context, name string) (Document, error) {
	if !isName(name) {
		return Document{}, fmt.Errorf("status list %.40q: %w", name, fault.ErrNotFound)
	}
	doc, first := l.documents.at(name, time.Now())
	if first {
		doc.Document, doc.err = l.make(context.WithoutCancel(ctx), name)
		if doc.err != nil {
			l.documents.drop(name, doc)
		}
		close(doc.done)
	}
	select {
	case <-doc.done:
		return doc.Document, doc.err
	case <-ctx.Done():
		return Document{}, ctx.Err()
	}
}

func (l *Lists) make(ctx context.Context, name string) (Document, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	named, err := l.c.Store.StatusNamed(ctx, name)
	if err == nil && !named {
		err = fault.ErrNotFound
	}
	if err != nil {
		return Document{}, fmt.Errorf("status list %s: %w", name, err)
	}
	text, now, err := l.text(ctx, name)
	if err != nil {
		return Document{}, fmt.Errorf("reading status list %s: %w", name, err)
	}
	key, err := l.c.Ring.Signer(keyring.Access, l.c.Algorithm())
	if err != nil {
		return Document{}, fmt.Errorf("signing status list %s: %w", name, err)
	}
	type list struct {
		Bits int    `json:"bits"`
		List string `json:"lst"`
	}
	payload, err := json.Marshal(struct {
		Issuer     string `json:"iss"`
		Subject    string `json:"sub"`
		IssuedAt   int64  `json:"iat"`
		Expires    int64  `json:"exp"`
		TTL        int64  `json:"ttl"`
		StatusList list   `json:"status_list"`
	}{l.c.Issuer, l.c.URI + name, now.Unix(), now.Add(life).Unix(), int64(TTL / time.Second), list{1, text}})
	if err != nil {
		return Document{}, fmt.Errorf("signing status list %s: %w", name, err)
	}
	compact, err := jws.Sign(key, Type, payload)
	if err != nil {
		return Document{}, fmt.Errorf("signing status list %s: %w", name, err)
	}
	sum := sha256.Sum256([]byte(compact))
	return Document{[]byte(compact), `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// encode is §4.1, step 4, and the encoding of §4.2.
func encode(set []byte) string {
	var out bytes.Buffer
	w, _ := zlib.NewWriterLevel(&out, zlib.BestCompression) // a level that there is
	_, _ = w.Write(set)                                     // into memory
	_ = w.Close()
	return base64.RawURLEncoding.EncodeToString(out.Bytes())
}

package jwe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwk"
)

// maxRecipients bounds what one text can hold.
const maxRecipients = 8

// jsonRecipient and jsonMessage are the members of RFC 7516 §7.2.
type jsonRecipient struct {
	Header       *written `json:"header,omitempty"`
	EncryptedKey string   `json:"encrypted_key,omitempty"`
}

type jsonMessage struct {
	Protected  string          `json:"protected"`
	Recipients []jsonRecipient `json:"recipients,omitempty"`
	*jsonRecipient
	AAD        string `json:"aad,omitempty"`
	IV         string `json:"iv"`
	Ciphertext string `json:"ciphertext"`
	Tag        string `json:"tag"`
}

// EncryptJSON returns a JSON serialization of plaintext for one key (flattened,
// RFC 7516 §7.2.2) or for several (general, §7.2.1), at most 8: each of them
// decrypts it, and each of them could write another for the same others. aad is
// not secret, travels beside the ciphertext and is covered by the tag; it may be
// empty. Several keys must allow one content encryption and cannot be of dir or
// ECDH-ES.
func EncryptJSON(keys []jwk.Encrypter, typ, cty string, aad, plaintext []byte) ([]byte, error) {
	if len(keys) == 0 || len(keys) > maxRecipients || slices.Contains(keys, nil) {
		return nil, fmt.Errorf("%d keys to encrypt with, or one that is nil: 1 to %d are taken", len(keys), maxRecipients)
	}
	protected := written{Type: typ, ContentType: cty}
	var m jsonMessage
	var content *jwk.ContentKey
	var err error
	if len(keys) == 1 {
		var wrapped jwk.WrappedKey
		if content, wrapped, err = keys[0].NewContentKey(); err != nil {
			return nil, fmt.Errorf("encrypting: %w", err)
		}
		protected.Algorithm, protected.KeyID = keys[0].Algorithm(), keys[0].KeyID()
		protected.parameters(wrapped)
		m.jsonRecipient = &jsonRecipient{EncryptedKey: b64.Encode(wrapped.EncryptedKey)}
	} else if content, m.Recipients, err = wrapForAll(keys); err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	protected.Encryption = content.Encryption()
	if m.Protected, err = protected.encode(); err != nil {
		return nil, err
	}
	m.AAD = b64.Encode(aad)
	sealed := content.Seal(nil, plaintext, additionalData(m.Protected, m.AAD))
	iv, tag := content.Encryption().Sizes()
	end := len(sealed) - tag
	m.IV, m.Ciphertext, m.Tag = b64.Encode(sealed[:iv]), b64.Encode(sealed[iv:end]), b64.Encode(sealed[end:])
	return json.Marshal(m)
}

func wrapForAll(keys []jwk.Encrypter) (*jwk.ContentKey, []jsonRecipient, error) {
	common := keys[0].Encryptions()
	for _, key := range keys {
		common = slices.DeleteFunc(common, func(enc jwk.ContentEncryption) bool { return !slices.Contains(key.Encryptions(), enc) })
	}
	if len(common) == 0 {
		return nil, nil, errors.New("the keys have no content encryption in common")
	}
	content, err := jwk.NewContentKey(common[0])
	if err != nil {
		return nil, nil, err
	}
	var all []jsonRecipient
	for _, key := range keys {
		wrapped, err := key.WrapContentKey(content)
		if err != nil {
			return nil, nil, fmt.Errorf("key %q: %w", key.KeyID(), err)
		}
		h := &written{Algorithm: key.Algorithm(), KeyID: key.KeyID()}
		h.parameters(wrapped)
		all = append(all, jsonRecipient{h, b64.Encode(wrapped.EncryptedKey)})
	}
	return content, all, nil
}

// additionalData is what the tag covers (RFC 7516 §5.1 step 14).
func additionalData(protected, aad string) []byte {
	out := []byte(protected)
	if aad != "" {
		out = append(append(out, '.'), aad...)
	}
	return out
}

// DecryptJSON decrypts a JSON serialization, flattened or general, of at most
// [DefaultMaxSize] bytes, as [Decrypter.DecryptJSON] does.
func DecryptJSON(ctx context.Context, text []byte, keys Keys) (Decrypted, error) {
	return Decrypter{}.DecryptJSON(ctx, text, keys)
}

// DecryptJSON decrypts a JSON serialization for the first of its recipients whose
// key is among keys and has the algorithm that the recipient's header says; what
// stands there for others is not looked at beyond its form. Only one recipient is
// ever tried.
//
// "enc" and everything else that is believed is in the protected header. What has
// no protection may name the key, its algorithm and the algorithm's parameters,
// and say things that are ignored, "cty" among them; "enc", "typ", "zip" and
// "crit" there refuse the text, and so does a name that occurs twice for one
// recipient.
func (d Decrypter) DecryptJSON(ctx context.Context, text []byte, keys Keys) (Decrypted, error) {
	all, aad, err := d.readJSON(text)
	if err != nil {
		return Decrypted{}, err
	}
	var last error
	for i := range all {
		m := &all[i]
		if last = m.header.exists(); last != nil {
			continue
		}
		var key jwk.Decrypter
		if key, last = lookUp(ctx, m.header, keys); last != nil {
			if errors.Is(last, jwk.ErrUnknownKey) || errors.Is(last, ErrAlgorithm) {
				continue
			}
			return Decrypted{}, last
		}
		plaintext, err := m.open(key)
		if err != nil {
			return Decrypted{}, err
		}
		return Decrypted{Header: m.header.Header, Key: key, Plaintext: plaintext, AdditionalData: aad}, nil
	}
	if len(all) > 1 {
		last = fmt.Errorf("%w: no recipient's key is among the keys", jwk.ErrUnknownKey)
	}
	return Decrypted{}, last
}

// readJSON returns what the text holds for each recipient, and its "aad".
func (d Decrypter) readJSON(text []byte) (all []message, aad []byte, err error) {
	if err := d.checkSize(len(text)); err != nil {
		return nil, nil, err
	}
	members, err := strictjson.BoundedObject(string(text), strictjson.MaxDepth, maxMembers, nil)
	if err != nil {
		return nil, nil, malformed("%v", err)
	}
	values := make(map[string]string)  // of those that are strings
	headers := make(map[string]string) // of those that are not
	for _, m := range members {
		switch m.Name {
		case "protected", "iv", "ciphertext", "tag", "aad", "encrypted_key":
			value, ok := strictjson.String(m.Value)
			if !ok || value == "" && m.Name != "ciphertext" {
				return nil, nil, malformed("%q is not a string with characters in it", m.Name)
			}
			values[m.Name] = value
		case "unprotected", "header", "recipients":
			headers[m.Name] = m.Value
		case "payload", "signatures", "signature":
			return nil, nil, malformed("%q: this is a JWS", m.Name)
		}
	}
	shared, protected, err := readShared(values["protected"], headers["unprotected"])
	if err != nil {
		return nil, nil, err
	}
	if aad, err = b64.Decode(nil, values["aad"]); err != nil {
		return nil, nil, malformed("\"aad\": %v", err)
	}
	var sealed []byte
	var ends [3]int
	for i, name := range []string{"iv", "ciphertext", "tag"} {
		if sealed, err = b64.Decode(sealed, values[name]); err != nil {
			return nil, nil, malformed("%q: %v", name, err)
		}
		ends[i] = len(sealed)
	}
	recipients, err := readRecipients(headers, values)
	if err != nil {
		return nil, nil, err
	}
	covered := additionalData(values["protected"], values["aad"])
	for _, r := range recipients {
		m := message{iv: ends[0], tag: ends[2] - ends[1], sealed: sealed, aad: covered}
		if m.header, err = shared.with(append(slices.Clip(protected), r.members...), r.members); err != nil {
			return nil, nil, err
		}
		if err := m.header.complete(); err != nil {
			return nil, nil, err
		}
		m.header.wrapped.EncryptedKey = r.encryptedKey
		all = append(all, m)
	}
	return all, aad, nil
}

// readShared reads the two headers that all recipients share, and returns their
// members too.
func readShared(protected, unprotected string) (h header, members []strictjson.Member, err error) {
	if protected == "" {
		return h, nil, malformed("no \"protected\": a header that the tag does not cover has no say in how to decrypt")
	}
	text, err := b64.Decode(nil, protected)
	if err != nil {
		return h, nil, malformed("header: %v", err)
	}
	if members, err = strictjson.BoundedObject(string(text), strictjson.MaxDepth, maxMembers, nil); err != nil {
		return h, nil, malformed("header: %v", err)
	}
	if err := h.read(members); err != nil {
		return h, nil, err
	}
	if h.Encryption == "" {
		return h, nil, malformed("header: no \"enc\" in the protected header")
	}
	if unprotected == "" {
		return h, members, nil
	}
	more, err := readUnprotected(unprotected)
	if err != nil {
		return h, nil, err
	}
	members = append(members, more...)
	h, err = h.with(members, more)
	return h, members, err
}

// with adds what members say without protection; all is every member that the
// recipient has, and none of them may be there twice (RFC 7516 §7.2.1).
func (h header) with(all, members []strictjson.Member) (header, error) {
	names := make(map[string]bool, len(all))
	for _, m := range all {
		if names[m.Name] {
			return h, malformed("a name occurs in two headers of a recipient")
		}
		names[m.Name] = true
	}
	said := slices.DeleteFunc(slices.Clone(members), func(m strictjson.Member) bool {
		return slices.Contains([]string{"cty", "iss", "sub", "aud"}, m.Name)
	})
	return h, h.read(said)
}

func readUnprotected(text string) ([]strictjson.Member, error) {
	members, err := strictjson.Object(text, strictjson.MaxDepth, nil)
	if err != nil || len(members) == 0 {
		return nil, malformed("an unprotected header is not a JSON object with members")
	}
	for _, m := range members {
		if slices.Contains([]string{"enc", "typ", "zip", "crit"}, m.Name) {
			return nil, malformed("%q in an unprotected header", m.Name)
		}
	}
	return members, nil
}

type recipient struct {
	members      []strictjson.Member
	encryptedKey []byte
}

// readRecipients reads the one recipient of a flattened text or those of a
// general one; a text that has both forms is neither.
func readRecipients(headers, values map[string]string) ([]recipient, error) {
	list, general := headers["recipients"]
	if !general {
		r, err := readRecipient(headers["header"], values["encrypted_key"])
		return []recipient{r}, err
	}
	if headers["header"] != "" || values["encrypted_key"] != "" {
		return nil, malformed("\"header\" or \"encrypted_key\" beside \"recipients\"")
	}
	texts, err := strictjson.BoundedArray(list, strictjson.MaxDepth, maxRecipients, nil)
	if err != nil || len(texts) == 0 {
		return nil, malformed("\"recipients\" is not an array of 1 to %d", maxRecipients)
	}
	var all []recipient
	for i, text := range texts {
		members, err := strictjson.Object(text, strictjson.MaxDepth, nil)
		if err != nil {
			return nil, malformed("recipient %d: %v", i, err)
		}
		var head, key string
		for _, m := range members {
			switch m.Name {
			case "header":
				head = m.Value
			case "encrypted_key":
				var ok bool
				if key, ok = strictjson.String(m.Value); !ok || key == "" {
					return nil, malformed("recipient %d: \"encrypted_key\" is not a string with characters in it", i)
				}
			}
		}
		r, err := readRecipient(head, key)
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func readRecipient(head, encryptedKey string) (r recipient, err error) {
	if head != "" {
		if r.members, err = readUnprotected(head); err != nil {
			return r, err
		}
	}
	if r.encryptedKey, err = b64.Decode(nil, encryptedKey); err != nil {
		return r, malformed("\"encrypted_key\": %v", err)
	}
	return r, nil
}

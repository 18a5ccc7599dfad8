package jwt

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// sensitiveNames, in words: what identifies a person beyond an id, or opens
// something.
var sensitiveNames = []string{
	"email", "emails", "e_mail", "mail", "email_address", "mail_address",
	"phone", "phones", "phone_number", "telephone", "mobile", "mobile_number", "fax",
	"birthdate", "birthday", "birth_date", "date_of_birth", "dob",
	"address", "street_address", "postal_address",
	"passport", "passport_number", "passport_no", "id_card", "id_card_number", "document_number", "driving_licence", "driver_license",
	"national_id", "national_insurance_number", "personal_number", "social_security_number", "ssn", "tax_id", "tax_number", "vat_id",
	"iban", "account_number", "card_number", "credit_card", "cvv", "cvc",
	"password", "passwd", "passphrase", "pin", "secret", "client_secret", "api_key", "apikey", "private_key", "secret_key",
	"access_token", "refresh_token", "credential", "credentials", "otp",
}

// DefaultSensitiveNames returns the names that [SensitiveClaims] looks for where
// it is given none: e-mail and postal addresses, telephone numbers, dates of birth,
// numbers of documents, cards and accounts, and secrets.
func DefaultSensitiveNames() []string { return slices.Clone(sensitiveNames) }

// SensitiveClaims returns the names of the claims in a JSON object that look as if
// they should not be read by whoever holds a token, in their order, nested ones as
// "person.email". A claim looks so by its name, if that is or ends with one of
// names, however its words are joined ("user_email", "userEmail",
// "https://example.com/user-email"), or by its value, if that is an e-mail address
// or a private key in PEM. No names stand for [DefaultSensitiveNames]. Of a text
// that is no object it knows nothing.
//
// It guesses: silence does not mean that a token says nothing about a person.
func SensitiveClaims(object []byte, names ...string) []string {
	if len(names) == 0 {
		names = sensitiveNames
	}
	s := search{names: make([]string, len(names))}
	for i, name := range names {
		s.names[i] = " " + inWords(name)
	}
	s.object(string(object), "", strictjson.MaxDepth)
	return s.found
}

type search struct {
	names []string
	found []string
}

func (s *search) object(text, path string, depth int) {
	members, err := strictjson.Object(text, depth, nil)
	if err != nil {
		return
	}
	for _, m := range members {
		at := path + m.Name
		words := " " + inWords(m.Name)
		switch {
		case m.Value == "null" || m.Value == "true" || m.Value == "false":
		case slices.ContainsFunc(s.names, func(name string) bool { return strings.HasSuffix(words, name) }), looksSecret(m.Value):
			if !slices.Contains(s.found, at) {
				s.found = append(s.found, at)
			}
		case m.Value[0] == '{':
			s.object(m.Value, at+".", depth-1)
		}
	}
}

// looksSecret goes by the value alone.
func looksSecret(raw string) bool {
	value, ok := strictjson.String(raw)
	if !ok {
		return false
	}
	if strings.Contains(value, "PRIVATE KEY-----") {
		return true
	}
	local, domain, ok := strings.Cut(value, "@")
	return ok && local != "" && len(value) <= 254 && !strings.ContainsAny(value, " :/") &&
		!strings.Contains(domain, "@") && strings.Contains(strings.Trim(domain, "."), ".")
}

// inWords returns the words of a claim's name, in lower case with spaces between
// them. A name that is a URI goes by its end.
func inWords(name string) string {
	name = name[strings.LastIndexAny(name, "/:#")+1:]
	var b strings.Builder
	lower := false // the letter before
	for _, r := range name {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if unicode.IsUpper(r) && lower {
				b.WriteByte(' ')
			}
			b.WriteRune(unicode.ToLower(r))
			lower = !unicode.IsUpper(r)
		default:
			b.WriteByte(' ')
			lower = false
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sensitiveOnce tells of each claim once. It remembers so many and then falls
// silent: names can be anything.
type sensitiveOnce struct {
	names []string
	tell  func(string)

	mu   sync.Mutex
	told map[string]bool
}

const maxTold = 256

func newSensitiveOnce(names []string, tell func(string)) *sensitiveOnce {
	return &sensitiveOnce{names: slices.Clone(names), tell: tell, told: make(map[string]bool)}
}

func (s *sensitiveOnce) look(object []byte) {
	for _, name := range SensitiveClaims(object, s.names...) {
		s.mu.Lock()
		first := !s.told[name] && len(s.told) < maxTold
		if first {
			s.told[name] = true
		}
		s.mu.Unlock()
		if first {
			s.tell(name)
		}
	}
}

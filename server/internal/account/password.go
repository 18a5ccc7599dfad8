package account

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// ErrWeakPassword says why a new password was not taken. Its text holds
// nothing of the password.
var ErrWeakPassword = errors.New("password too weak")

const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes, after normalizing
)

// normalize brings a password into the form that is hashed: PRECIS profile
// OpaqueString (RFC 8265 §4.2), which is NFC with every kind of space mapped
// to U+0020, so that the same keys pressed on another system are the same
// password.
func normalize(password string) (string, bool) {
	if len(password) > 4*maxPassword || !utf8.ValidString(password) {
		return "", false
	}
	p, err := precis.OpaqueString.String(password)
	if err != nil || len(p) > maxPassword {
		return "", false
	}
	return p, true
}

// newPassword checks a password that is to be set and answers its normal form.
// There are no rules of composition: they make passwords worse.
func newPassword(password, username string) (string, error) {
	p, ok := normalize(password)
	lower := strings.ToLower(p)
	switch {
	case password == "":
		return "", fmt.Errorf("%w: it is empty", ErrWeakPassword)
	case !ok:
		return "", fmt.Errorf("%w: it has control characters or more than %d bytes", ErrWeakPassword, maxPassword)
	case utf8.RuneCountInString(p) < minPassword:
		return "", fmt.Errorf("%w: it has fewer than %d characters", ErrWeakPassword, minPassword)
	case common(lower):
		return "", fmt.Errorf("%w: it is one of the commonest", ErrWeakPassword)
	case len(username) >= 3 && strings.Contains(lower, username):
		return "", fmt.Errorf("%w: it contains the user name", ErrWeakPassword)
	}
	return p, nil
}

// common says whether a password in lower case is among the first that anybody
// tries.
func common(p string) bool {
	first, _ := utf8.DecodeRuneInString(p)
	if strings.Trim(p, string(first)) == "" || strings.Contains(sequences, p) {
		return true
	}
	_, known := commonest[p]
	return known
}

// sequences are runs of keys and of letters; any part of one is as common.
const sequences = "01234567890123456789 9876543210987654321 abcdefghijklmnopqrstuvwxyz zyxwvutsrqponmlkjihgfedcba " +
	"qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfghjklyxcvbnm azertyuiopqsdfghjklmwxcvbn asdfghjkl zxcvbnm,./ 1qaz2wsx3edc4rfv5tgb " +
	"1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 qazwsxedcrfvtgbyhnujm !@#$%^&*()_+ !qaz@wsx#edc$rfv"

// commonest is of eight characters and more: shorter ones are refused anyway.
var commonest = func() map[string]struct{} {
	set := make(map[string]struct{})
	for p := range strings.FieldsSeq(`
		password passwords password1 password12 password123 password1234 password! password1! password01 passw0rd
		p@ssw0rd p@ssword p@ssw0rd1 pa$$word pa55word pass1234 pass12345 passpass passw0rd1 passwort passwort1 motdepasse
		contraseña changeme changeme1 changeme123 letmein1 letmein123 welcome1 welcome12 welcome123 welcome! welcome1!
		admin123 admin1234 admin12345 administrator adminadmin root1234 rootroot test1234 testtest testing1 testing123
		guest123 default1 default123 temp1234 temppass secret12 secret123 secretpassword mypassword newpassword
		qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty!1 qwer1234 asdf1234 asdfasdf zxcv1234 abc12345 abcd1234 abcde123
		abc123abc abcabc123 a1b2c3d4 aa123456 a1234567 a12345678 a123456789 1234567a 12345678a 123456789a 1234qwer 123qwe123
		123qweasd 123abc123 12341234 123123123 12312312 12121212 11223344 1122334455 112233445566 10203040 12344321 123454321
		123321123 12345679 12345687 13131313 147258369 159357456 1234abcd 1111aaaa 111222333 20202020 20242024 20252025 20262026
		31415926 66554433 69696969 77887788 78945612 789456123 87654321 98765432 99887766
		iloveyou iloveyou1 iloveyou2 iloveyou! ilovegod loveyou1 lovelove lovely12 sunshine sunshine1 princess princess1
		football football1 baseball baseball1 basketball softball superman superman1 spiderman batman123 pokemon1 pokemon123
		starwars starwars1 startrek whatever whatever1 computer computer1 internet trustno1 michelle jennifer jessica1 michael1
		charlie1 danielle nicholas jonathan benjamin victoria elizabeth samantha alexander christian christopher anthony1
		liverpool liverpool1 chelsea1 arsenal1 manchester barcelona realmadrid juventus corvette mercedes porsche911 ferrari1
		mustang1 harley01 butterfly chocolate strawberry blink182 metallica slipknot nirvana1 midnight snowball rainbow1
		sunflower cheerleader monkey12 monkey123 dragon12 dragon123 shadow12 shadow123 master12 master123 hunter12 killer12
		freedom1 november december september february diciembre spring2024 summer2024 autumn2024 winter2024 spring2025
		summer2025 autumn2025 winter2025 spring2026 summer2026 autumn2026 winter2026 hello123 hello1234 hellohello
		helloworld goodluck blessed1 jesus123 jesuschrist godisgood america1 australia company1 company123 business
		security security1 access14 letmeinnow openness database server123 hallo123 schatz123 hejsan123 azerty123 azertyui
		1qazxsw2 zaq12wsx zaq1zaq1 xsw2zaq1 q1w2e3r4t5 qazwsx123 qweasdzxc asdzxc123 zxcvbnm1 trustme1 fuckyou1 fuckyou2
		asshole1 bullshit scooter1 ginger12 cookie123 jordan23 michael23 lakers24 cowboys1 steelers yankees1 redskins
		correcthorsebatterystaple`) {
		set[p] = struct{}{}
	}
	return set
}()

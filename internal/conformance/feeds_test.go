package conformance

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// feedKey signs documents. Access tokens have other keys.
func (m *maker) feedKey() jwk.Signer { return m.signers["es384"] }

// feedText is a document as claims; issued is in seconds after now.
func feedText(epoch string, from, to uint64, snapshot bool, issued int, facts ...revocation.Entry) object {
	d := &revocation.Document{Epoch: epoch, From: from, To: to, Snapshot: snapshot, Entries: facts}
	text, err := json.Marshal(d.Custom())
	if err != nil {
		panic(err)
	}
	var c map[string]json.RawMessage
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	o := object{{"iss", quoted(issuer)}, {"aud", quoted(issuer)}, {"exp", fmt.Sprint(now + issued + 60)}, {"iat", fmt.Sprint(now + issued)}}
	for _, name := range []string{"epoch", "from", "to", "snapshot", "facts"} {
		o = o.with(name, string(c[name]))
	}
	return o
}

func feedHeader() object { return header("es384").with("typ", quoted(revocation.Type)) }

func fact(kind jwt.FactKind, value string) revocation.Entry {
	return revocation.Entry{Fact: jwt.NewFact(kind, issuer, value), Expires: time.Unix(now+3600, 0)}
}

func (m *maker) feeds() []feedCase {
	sign := func(o fmt.Stringer) string { return m.signed(m.feedKey(), feedHeader().String(), o.String()) }
	yes := func(o fmt.Stringer) feedAnswer { return feedAnswer{sign(o), true} }
	no := func(o fmt.Stringer) feedAnswer { return feedAnswer{sign(o), false} }
	empty := feedText("e1", 0, 7, true, 0)
	token := func(what string, c object, want string) feedToken {
		return feedToken{what, m.token(header("es256"), c), want}
	}
	anna := token("a token of the session", claims(), revoked)
	spared := token("a token of another session", claims().with("sid", `"ses_2"`).with("jti", `"tok_2"`), accepted)
	stands := token("a token", claims(), accepted)
	single := func(what string, f revocation.Entry, tokens ...feedToken) feedCase {
		return feedCase{What: what, Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 0, f))}, Tokens: tokens}
	}
	ended := fact(jwt.SessionFact, "ses_1")
	before := fact(jwt.SubjectFact, "acc_anna")
	before.Before = time.Unix(now-10, 0)
	forever := fact(jwt.KeyFact, "es256")
	forever.Expires = time.Time{}
	noSession := claims().without("sid")
	other := m.attacker["es384"]
	cases := []feedCase{
		{What: "nothing is revoked", Answers: []feedAnswer{yes(empty)}, Tokens: []feedToken{stands, spared}},
		{What: "the feed has not been read", Tokens: []feedToken{token("a good token", claims(), "revocation_unavailable"), token("an expired one", claims().with("exp", "1"), expired)}},
		single("a session has ended", ended, anna, spared, token("a token of no session", noSession, accepted), token("expired, and its session ended", claims().with("exp", "1"), expired)),
		single("a token has ended", fact(jwt.TokenFact, "tok_1"), token("it", claims(), revoked), token("another of its session", claims().with("jti", `"tok_2"`), accepted)),
		single("a key is revoked, for ever", forever, token("a token under it", claims(), revoked),
			feedToken{"a token under another", m.signed(m.signers["rs256"], header("rs256").String(), claims().String()), accepted}),
		single("a subject's tokens from before", before, token("from before", noSession.with("iat", fmt.Sprint(now-11)), revoked), token("from that second", noSession.with("iat", fmt.Sprint(now-10)), accepted),
			token("without a time", noSession.without("iat"), revoked), token("of a session, which ends by itself", claims().with("iat", fmt.Sprint(now-11)), accepted),
			token("of another subject", noSession.with("sub", `"acc_ben"`).with("iat", fmt.Sprint(now-11)), accepted)),
		single("the kind counts: a token id that is a session's", fact(jwt.TokenFact, "ses_1"), stands),
		single("the issuer counts", revocation.Entry{Fact: jwt.NewFact(jwt.SessionFact, "https://other.example", "ses_1"), Expires: time.Unix(now+3600, 0)}, stands),
		{What: "a delta follows a snapshot", Answers: []feedAnswer{yes(empty), yes(feedText("e1", 7, 8, false, 1, ended))}, Tokens: []feedToken{anna, spared}},
		{What: "a delta that begins where nobody stands", Answers: []feedAnswer{yes(empty), no(feedText("e1", 9, 10, false, 1, ended))}, Tokens: []feedToken{stands}},
		{What: "a delta before any snapshot", Answers: []feedAnswer{no(feedText("e1", 0, 8, false, 0, ended))}, Tokens: []feedToken{token("a token", claims(), "revocation_unavailable")}},
		{What: "another epoch takes nothing back", Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 0, ended)), yes(feedText("e2", 0, 1, true, 1, fact(jwt.TokenFact, "tok_9")))},
			Tokens: []feedToken{anna, token("what the new one says", claims().with("sid", `"ses_2"`).with("jti", `"tok_9"`), revoked)}},
		{What: "a snapshot of the same epoch from earlier", Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 0, ended)), no(feedText("e1", 0, 6, true, 1))}, Tokens: []feedToken{anna}},
		{What: "a store that was restored has another past: only a snapshot tells it", Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 0, ended)), no(feedText("e1", 0, 6, true, 1)),
			no(feedText("e1", 7, 8, false, 2)), yes(feedText("e1", 0, 9, true, 3, fact(jwt.TokenFact, "tok_9")))},
			Tokens: []feedToken{anna, token("what happened meanwhile", claims().with("sid", `"ses_2"`).with("jti", `"tok_9"`), revoked)}},
		{What: "an old document again", Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 20, ended)), no(feedText("e2", 0, 1, true, 0))}, Tokens: []feedToken{anna}},
		{What: "another's signature", Answers: []feedAnswer{yes(empty), {m.signed(other, feedHeader().String(), feedText("e1", 7, 8, false, 1, ended).String()), false}}, Tokens: []feedToken{stands}},
		{What: "signed by the key of access tokens", Answers: []feedAnswer{yes(empty), {m.signed(m.signers["es256"], header("es256").with("typ", quoted(revocation.Type)).String(), feedText("e1", 7, 8, false, 1, ended).String()), false}}, Tokens: []feedToken{stands}},
		{What: "an access token in place of a document", Answers: []feedAnswer{{m.signed(m.feedKey(), header("es384").String(), claims().String()), false}}, Tokens: []feedToken{token("a token", claims(), "revocation_unavailable")}},
		{What: "another issuer's document", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, 1, ended).with("iss", `"https://other.example"`))}, Tokens: []feedToken{stands}},
		{What: "a document for an API", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, 1, ended).with("aud", quoted(audience)))}, Tokens: []feedToken{stands}},
		{What: "an expired document", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, -200, ended))}, Tokens: []feedToken{stands}},
		{What: "facts that are cut off", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, 1).with("facts", `"AAAA"`))}, Tokens: []feedToken{stands}},
		{What: "facts with padding", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, 1).with("facts", `"`+"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"+`="`))}, Tokens: []feedToken{stands}},
		{What: "a position that not every language can count to", Answers: []feedAnswer{yes(empty), no(feedText("e1", 7, 8, false, 1, ended).with("to", "9007199254740992"))}, Tokens: []feedToken{stands}},
		{What: "an epoch of other letters", Answers: []feedAnswer{no(feedText("e 1", 0, 7, true, 0))}, Tokens: []feedToken{token("a token", claims(), "revocation_unavailable")}},
		{What: "the feed's own key is revoked by it", Answers: []feedAnswer{yes(feedText("e1", 0, 7, true, 0, revocation.Entry{Fact: jwt.NewFact(jwt.KeyFact, issuer, "es384")})), no(feedText("e1", 7, 8, false, 1, ended))}, Tokens: []feedToken{stands}},
	}
	for i := range cases {
		c := &cases[i]
		c.ID, c.Policy, c.Now, c.Keys = "REV", "default", now, m.set(m.public(m.feedKey()))
		if c.Answers == nil {
			c.Answers = []feedAnswer{}
		}
	}
	return cases
}

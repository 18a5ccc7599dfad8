// Package revocation makes access tokens die before they expire without a call
// per request: an issuer publishes signed facts (session S ended, token J
// ended, key K revoked), a [Follower] keeps them beside the verifier, and
// [Set.Check] looks them up without a lock. Both are the jwt.Revocations of a
// verifier; package guard builds a Follower by itself.
//
// # The feed
//
// GET the feed's URL with after=EPOCH.POSITION and wait=SECONDS. The answer, of
// type application/revocations+jwt, is a JWT of the header type
// revocations+jwt, issued by the issuer to itself (iss = aud), with the claims
//
//	epoch     names one life of the issuer's store; changes when it is restored
//	from, to  positions; a delta leads from one to the other
//	snapshot  true: all facts that stand at position to, from is 0
//	more      true: the feed goes on behind to; asked again, it answers at once
//	facts     base64url of n × 24 bytes: fact (16), expires (4), before (4)
//
// expires and before are big-endian seconds since the epoch. expires 0 means
// never, as for a revoked key, whose thief dates tokens at will. before 0 means
// every token; else only those issued earlier. A fact is a hash
// ([jwt.NewFact]): the feed tells neither who nor why.
//
// # What is refused
//
// A follower applies a delta only where it stands, and asks for a snapshot
// otherwise. It never takes a fact back before the fact expires, whatever a
// document, another epoch or a restart of the issuer says. A document with a
// bad signature, under a key that the feed itself revoked, of another issuer,
// expired, or older than one already accepted changes nothing. A set that is
// full answers that it cannot tell (jwt.ErrRevocationUnavailable) and never
// drops a fact that stands.
package revocation

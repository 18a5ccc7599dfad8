// Package wire holds the JSON of Jotsmith's HTTP API: the bodies of requests and
// answers, the metadata document and the stable error codes. The server, the
// guard and clients share it, so that a name on the wire is spelled once.
//
// It is a leaf: plain types and one table. It refuses to hold behaviour; it
// neither dials, nor validates, nor decides. Package guard answers with these
// problems, and the server's handlers read and write these bodies.
//
// Times in bodies are RFC 3339 in UTC; times inside tokens, and in the
// introspection answer that mirrors one, are seconds since the epoch.
package wire

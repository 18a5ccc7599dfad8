// Package conformance makes testdata/conformance, the cases that a verifier of
// any language must decide alike, and runs them against this module's own. It
// exports nothing. Its keys are published and protect nothing.
package conformance

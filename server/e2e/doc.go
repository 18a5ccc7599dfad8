// Package e2e tests the promises of the README through the built binary, over
// real HTTP, on real SQLite files. It exports nothing.
package e2e

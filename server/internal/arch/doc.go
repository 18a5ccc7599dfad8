// Package arch holds the import policy of the server as a test: which package
// may import which. It exports nothing.
package arch

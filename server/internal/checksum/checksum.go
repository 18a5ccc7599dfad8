// Package checksum makes the last characters of secrets that people may leak:
// scanners for leaked secrets tell by them one of ours from a word that looks
// like it. A checksum proves nothing to a server.
package checksum

import "hash/crc32"

// Size is the length of a checksum.
const Size = 6

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Of answers CRC-32 (IEEE) of text in base62, most significant digit first.
func Of(text string) string {
	n := crc32.ChecksumIEEE([]byte(text))
	var digits [Size]byte
	for i := range digits {
		digits[Size-1-i] = base62[n%62]
		n /= 62
	}
	return string(digits[:])
}

package jwk

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
)

// Both directions agree with encoding/asn1, on every width: what is taken is the
// one spelling of two integers that fit, and it is written back byte for byte.
func FuzzASN1(f *testing.F) {
	for _, size := range []int{32, 48, 66} {
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			f.Add(appendDER(nil, bytes.Repeat([]byte{b}, 2*size)))
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, size := range []int{32, 48, 66} {
			fixed, err := appendFixed([]byte("kept"), der, size)
			var want struct{ R, S *big.Int }
			rest, asnErr := asn1.Unmarshal(der, &want)
			fits := asnErr == nil && len(rest) == 0 && want.R.Sign() >= 0 && want.S.Sign() >= 0 &&
				want.R.BitLen() <= 8*size && want.S.BitLen() <= 8*size && bytes.Equal(reencoded(want), der)
			if (err == nil) != fits {
				t.Fatalf("size %d: %x: %v, %v", size, der, err, asnErr)
			}
			if err != nil {
				if fixed != nil {
					t.Fatal("a signature and an error")
				}
				continue
			}
			if len(fixed) != 4+2*size || new(big.Int).SetBytes(fixed[4:4+size]).Cmp(want.R) != 0 || new(big.Int).SetBytes(fixed[4+size:]).Cmp(want.S) != 0 {
				t.Fatalf("%x became %x", der, fixed)
			}
		}
		// And from the fixed form.
		for _, size := range []int{32, 48, 66} {
			if len(der) < 2*size {
				continue
			}
			var got struct{ R, S *big.Int }
			fixed := der[:2*size]
			out := appendDER(nil, fixed)
			if rest, err := asn1.Unmarshal(out, &got); err != nil || len(rest) != 0 || len(out) > maxDER ||
				got.R.Cmp(new(big.Int).SetBytes(fixed[:size])) != 0 || got.S.Cmp(new(big.Int).SetBytes(fixed[size:])) != 0 {
				t.Fatalf("%x became %x: %v", fixed, out, err)
			}
		}
	})
}

func reencoded(v any) []byte {
	b, _ := asn1.Marshal(v)
	return b
}

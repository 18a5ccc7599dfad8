package jwe_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// edit returns a JWK with members that it lacks.
func edit(private json.RawMessage, members map[string]any) json.RawMessage {
	var m map[string]any
	if err := json.Unmarshal(private, &m); err != nil {
		panic(err)
	}
	for name, value := range members {
		if _, there := m[name]; !there {
			m[name] = value
		}
	}
	return must(json.Marshal(m))
}

// The keys and texts of RFC 7516, appendix A.
func TestRFC7516AppendixA(t *testing.T) {
	t.Parallel()
	const prosper = "Live long and prosper."
	kw := must(jwk.ParseShared([]byte(`{"kty":"oct","alg":"A128KW","kid":"7","k":"GawgguFyGrWKav7AX4VKUg"}`), jwk.A128CBCHS256))
	keys := must(jwk.NewDecryptionSet(kw))

	t.Run("A.1 RSA-OAEP and A256GCM", func(t *testing.T) {
		t.Parallel()
		key := must(jwk.DangerouslyParseRSAOAEP([]byte(`{"kty":"RSA","alg":"RSA-OAEP",
			"n":"oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8MW2Krf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChLOln0_mtUZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm-L5StowjzGy-_bq6Gw",
			"e":"AQAB",
			"d":"kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh2anTpTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24moOAbgxVw3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lOW085-4qE3DzgrTjgyQ",
			"p":"1r52Xk46c-LsfB5P442p7atdPUrxQSy4mti_tZI3Mgf2EuFVbUoDBvaRQ-SWxkbkmoEzL7JXroSBjSrK3YIQgYdMgyAEPTPjXv_hI2_1eTSPVZfzL0lffNn03IXqWF5MDFuoUYE0hzb2vhrlN_rKrbfDIwUbTrjjgieRbwC6Cl0",
			"q":"wLb35x7hmQWZsWJmB_vle87ihgZ19S8lBEROLIsZG4ayZVe9Hi9gDVCOBmUDdaDYVTSNx_8Fyw1YYa9XGrGnDew00J28cRUoeBB_jKI1oma0Orv1T9aXIWxKwd4gvxFImOWr3QRL9KEBRzk2RatUBnmDZJTIAfwTs0g68UZHvtc"}`)))
		got, err := jwe.Decrypt(t.Context(), "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ."+
			"OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iGdXKHzg."+
			"48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ",
			must(jwk.NewDecryptionSet(key)))
		if err != nil || string(got.Plaintext) != "The true sign of intelligence is not knowledge but imagination." {
			t.Errorf("%q, %v", got.Plaintext, err)
		}
	})
	t.Run("A.2 RSA1_5 is left out", func(t *testing.T) {
		t.Parallel()
		_, err := jwe.Decrypt(t.Context(), "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0."+
			"UGhIOguC7IuEvf_NPVaXsGMoLOmwvc1GyqlIKOK1nN94nHPoltGRhWhw7Zx0-kFm1NJn8LE9XShH59_i8J0PH5ZZyNfGy2xGdULU7sHNF6Gp2vPLgNZ__deLKxGHZ7PcHALUzoOegEI-8E66jX2E4zyJKx-YxzZIItRzC5hlRirb6Y5Cl_p-ko3YvkkysZIFNPccxRU7qve1WYPxqbb2Yw8kZqa2rMWI5ng8OtvzlV7elprCbuPhcCdZ6XDP0_F8rkXds2vE4X-ncOIM8hAYHHi29NX0mcKiRaD0-D-ljQTP-cFPgwCp6X-nZZd9OHBv-B3oWh2TbqmScqXMR4gp_A."+
			"AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.9hH0vgRfYgPnAHOd8stkvw", keys)
		is(t, err, jwe.ErrAlgorithm)
	})
	t.Run("A.3 A128KW and A128CBC-HS256", func(t *testing.T) {
		t.Parallel()
		got, err := jwe.Decrypt(t.Context(), "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ."+
			"AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ", keys)
		if err != nil || string(got.Plaintext) != prosper {
			t.Errorf("%q, %v", got.Plaintext, err)
		}
	})
	// Of A.4 the recipient with RSA1_5 is passed over, the other one decrypts.
	const recipient = `"header":{"alg":"A128KW","kid":"7"},"encrypted_key":"6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ"`
	const rest = `"protected":"eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0","unprotected":{"jku":"https://server.example.com/keys.jwks"},` +
		`"iv":"AxY8DCtDaGlsbGljb3RoZQ","ciphertext":"KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY","tag":"Mz-VPPyU4RlcuYv1IwIvzw"`
	for name, text := range map[string]string{
		"A.4 several recipients": `{` + rest + `,"recipients":[{"header":{"alg":"RSA1_5","kid":"2011-04-29"},"encrypted_key":"UGhI"},{` + recipient + `}]}`,
		"A.5 flattened":          `{` + rest + `,` + recipient + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := jwe.DecryptJSON(t.Context(), []byte(text), keys)
			if err != nil || string(got.Plaintext) != prosper || got.Key != jwk.Decrypter(kw) {
				t.Errorf("%q, %v", got.Plaintext, err)
			}
		})
	}
}

func TestRFC7520Encryption(t *testing.T) {
	t.Parallel()
	// Refused on purpose, and why.
	leftOut := map[string]string{
		"5_1":  "RSA1_5",
		"5_9":  "zip",
		"5_12": "the tag covers no header at all, so that anybody can change \"enc\"",
	}
	files, err := filepath.Glob(filepath.Join(vectors.Dir(t, "rfc7520"), "jwe", "*.json"))
	if err != nil || len(files) != 13 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		section, _, _ := strings.Cut(filepath.Base(file), ".")
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			var v struct {
				Input struct {
					Plaintext string
					Key, Pwd  json.RawMessage
					Alg, Enc  any
					AAD       string
				}
				Output struct {
					Compact string
					JSON    json.RawMessage
					Flat    json.RawMessage `json:"json_flat"`
				}
			}
			if err := json.Unmarshal(must(os.ReadFile(file)), &v); err != nil {
				t.Fatal(err)
			}
			var forms []func() (jwe.Decrypted, error)
			all := jwk.ContentEncryptions()
			if v.Input.Pwd != nil {
				var text string
				if err := json.Unmarshal(v.Input.Pwd, &text); err != nil {
					t.Fatal(err)
				}
				password := must(jwk.NewPassword(jwk.PBES2HS512A256KW, text, all...))
				forms = append(forms, func() (jwe.Decrypted, error) { return jwe.DecryptWithPassword(v.Output.Compact, password) })
			} else {
				keys := cookbookKeys(t, v.Input.Key, v.Input.Alg)
				if v.Output.Compact != "" {
					forms = append(forms, func() (jwe.Decrypted, error) { return jwe.Decrypt(t.Context(), v.Output.Compact, keys) })
				}
				for _, text := range [][]byte{v.Output.JSON, v.Output.Flat} {
					if text != nil {
						forms = append(forms, func() (jwe.Decrypted, error) { return jwe.DecryptJSON(t.Context(), text, keys) })
					}
				}
			}
			if len(forms) == 0 {
				t.Fatal("nothing to decrypt")
			}
			for i, decrypt := range forms {
				got, err := decrypt()
				switch {
				case leftOut[section] != "" && err == nil:
					t.Errorf("form %d: accepted, although %s", i, leftOut[section])
				case leftOut[section] == "" && (err != nil || string(got.Plaintext) != v.Input.Plaintext):
					t.Errorf("form %d: %q, %v", i, got.Plaintext, err)
				case err == nil && !bytes.Equal(got.AdditionalData, []byte(v.Input.AAD)):
					t.Errorf("form %d: additional data %q", i, got.AdditionalData)
				}
			}
		})
	}
}

// cookbookKeys reads the key or the keys of an example, which say their algorithm
// beside them, if one exists here.
func cookbookKeys(t *testing.T, text json.RawMessage, algs any) *jwk.DecryptionSet {
	t.Helper()
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	names, several := algs.([]any)
	if !several {
		names = []any{algs}
	}
	var keys []jwk.Decrypter
	for i, text := range list {
		key, err := decrypters(edit(text, map[string]any{"alg": names[i]}))
		if err == nil {
			keys = append(keys, key)
		} else if names[i] != "RSA1_5" {
			t.Fatal(names[i], err)
		}
	}
	return must(jwk.NewDecryptionSet(keys...))
}

// The example of RFC 8037, appendix A.6, as the cookbook has it.
func TestRFC8037Encryption(t *testing.T) {
	t.Parallel()
	var v struct {
		Input struct {
			Plaintext string
			Key       json.RawMessage
		}
		Output struct{ Compact string }
	}
	vectors.JSON(t, "rfc7520", "curve25519/ecdh-es.json", &v)
	key := must(jwk.ParseDecryption(edit(v.Input.Key, map[string]any{"alg": "ECDH-ES"}), jwk.A128GCM))
	got, err := jwe.Decrypt(t.Context(), v.Output.Compact, must(jwk.NewDecryptionSet(key)))
	if err != nil || string(got.Plaintext) != v.Input.Plaintext {
		t.Errorf("%q, %v", got.Plaintext, err)
	}
}

// RFC 7520 §6: a signed token within an encrypted one, each read with its own key.
func TestRFC7520Nested(t *testing.T) {
	t.Parallel()
	type layer struct {
		Input  struct{ Key json.RawMessage }
		Output struct {
			Compact string
			JSON    json.RawMessage
			Flat    json.RawMessage `json:"json_flat"`
		}
	}
	var v struct{ Sign, Encrypt layer }
	vectors.JSON(t, "rfc7520", "6.nesting_signatures_and_encryption.json", &v)
	keys := cookbookKeys(t, v.Encrypt.Input.Key, "RSA-OAEP")
	signer := must(jwk.ParsePrivate(edit(v.Sign.Input.Key, map[string]any{"alg": "PS256"})))
	outer, err := jwe.Decrypt(t.Context(), v.Encrypt.Output.Compact, keys)
	if err != nil || outer.Header.ContentType != "JWT" || string(outer.Plaintext) != v.Sign.Output.Compact {
		t.Fatalf("%+v, %v", outer, err)
	}
	for _, text := range [][]byte{v.Encrypt.Output.JSON, v.Encrypt.Output.Flat} {
		if got, err := jwe.DecryptJSON(t.Context(), text, keys); err != nil || !bytes.Equal(got.Plaintext, outer.Plaintext) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	inner, err := jws.Verify(t.Context(), string(outer.Plaintext), must(jwk.NewSet(signer.Public())))
	if err != nil || inner.Header.Type != "JWT" {
		t.Errorf("%+v, %v", inner, err)
	}
}

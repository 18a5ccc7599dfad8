# Decrypts and encrypts with the command jose of latchset. Each argument is a
# folder with a case; see interop_test.go for what is in it.
for dir; do
	cd "$dir" || exit 1
	for name in text tampered json; do
		[ ! -f $name ] || jose jwe dec -i $name -k private.jwk -O $name.out 2>/dev/null || printf 'refused: ' >$name.out
	done
	jose jwe enc -I plaintext -k public.jwk -i template.json -c -o theirs 2>/dev/null || printf 'refused: ' >theirs
done

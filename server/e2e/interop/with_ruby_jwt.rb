# Verifies and signs with ruby-jwt. See ../interop_test.go for what goes in and out.
require 'base64'
require 'json'
require 'jwt'
require 'openssl'
require 'securerandom'

TOLD = JSON.parse($stdin.read)
RSA = OpenSSL::PKey::RSA.generate(2048) # one for all algorithms: it takes long to make

def verify(token, key, alg)
  claims, header = JWT.decode(token, key, true, algorithms: [alg], iss: TOLD['issuer'], verify_iss: true,
                                                aud: TOLD['audience'], verify_aud: true, required_claims: %w[exp iss aud])
  raise 'typ' unless header['typ'] == 'at+jwt'

  claims['sub']
end

def sign(key, alg, kid)
  claims = { iss: TOLD['issuer'], aud: TOLD['audience'], sub: 'bob', exp: Time.now.to_i + 300 }
  JWT.encode(claims, key, alg, kid: kid, typ: 'at+jwt')
end

def outcome
  yield
rescue StandardError => e
  "refused: #{e.class}: #{e.message}"
end

# This version takes the "k" of a secret as it stands, without decoding it.
def read(jwk) = jwk['kty'] == 'oct' ? Base64.urlsafe_decode64(jwk['k']) : JWT::JWK.import(jwk).keypair
def pem(text) = OpenSSL::PKey.read(text)

def generate(alg)
  curve = { 'ES256' => 'prime256v1', 'ES384' => 'secp384r1', 'ES512' => 'secp521r1' }[alg]
  curve ? OpenSSL::PKey::EC.generate(curve) : RSA
end

answers = TOLD['cases'].map do |c|
  alg = c['alg']
  secret = alg.start_with?('HS')
  a = { verified: {}, tampered: {}, signed: {}, keys: {} }
  forms = { jwk: [-> { read(c['public_jwk']) }, -> { read(c['private_jwk']) }] }
  forms[:pem] = [-> { pem(c['public_pem']) }, -> { pem(c['private_pem']) }] unless secret
  forms.each do |form, (public, private)|
    a[:verified][form] = outcome { verify(c['token'], public.call, alg) }
    a[:tampered][form] = outcome { verify(c['tampered'], public.call, alg) }
    a[:signed][form] = outcome { sign(private.call, alg, c['kid']) }
  end
  if secret
    key = SecureRandom.random_bytes(64)
    a[:keys][:private_jwk] = { kty: 'oct', k: Base64.urlsafe_encode64(key, padding: false) }
  else
    key = generate(alg)
    a[:keys][:private_pem] = key.to_pem
    a[:keys][:public_pem] = key.public_to_pem
    a[:keys][:public_jwk] = JWT::JWK.new(key).export.reject { |name, _| name == :kid }
    a[:keys][:private_jwk] = JWT::JWK.new(key).export(include_private: true).reject { |name, _| name == :kid } unless alg.start_with?('ES')
  end
  a[:token] = sign(key, alg, 'theirs')
  a
end
puts JSON.generate(answers)

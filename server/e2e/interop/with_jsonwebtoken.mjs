// Verifies and signs with jsonwebtoken. See ../interop_test.go for what goes in
// and out.
import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import jwt from 'jsonwebtoken'

const { issuer, audience, cases } = JSON.parse(readFileSync(0, 'utf8'))

const verify = (token, key, alg) => {
  const { header, payload } = jwt.verify(token, key, { issuer, audience, algorithms: [alg], complete: true })
  if (header.typ !== 'at+jwt') throw new Error(`typ ${header.typ}`)
  return payload.sub
}
const sign = (key, algorithm, keyid) =>
  jwt.sign({}, key, { algorithm, keyid, issuer, audience, subject: 'bob', expiresIn: '5m', header: { alg: algorithm, typ: 'at+jwt' } })
const outcome = (f) => { try { return f() } catch (e) { return `refused: ${e.message}` } }
const secretOf = (jwk) => createSecretKey(Buffer.from(jwk.k, 'base64url'))

let rsa // one for all algorithms: it takes long to make
const generate = (alg) => {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]
  return curve ? generateKeyPairSync('ec', { namedCurve: curve }) : (rsa ??= generateKeyPairSync('rsa', { modulusLength: 2048 }))
}

console.log(JSON.stringify(cases.map((c) => {
  const a = { verified: {}, tampered: {}, signed: {}, keys: {} }
  const secret = c.alg.startsWith('HS')
  const forms = secret
    ? { jwk: [() => secretOf(c.public_jwk), () => secretOf(c.private_jwk)] }
    : {
        jwk: [() => createPublicKey({ key: c.public_jwk, format: 'jwk' }), () => createPrivateKey({ key: c.private_jwk, format: 'jwk' })],
        pem: [() => c.public_pem, () => c.private_pem],
      }
  for (const [form, [pub, priv]] of Object.entries(forms)) {
    a.verified[form] = outcome(() => verify(c.token, pub(), c.alg))
    a.tampered[form] = outcome(() => verify(c.tampered, pub(), c.alg))
    a.signed[form] = outcome(() => sign(priv(), c.alg, c.kid))
  }
  if (secret) {
    const key = createSecretKey(randomBytes(64))
    a.keys.private_jwk = key.export({ format: 'jwk' })
    a.token = sign(key, c.alg, 'theirs')
    return a
  }
  const { publicKey, privateKey } = generate(c.alg)
  a.keys = {
    public_jwk: publicKey.export({ format: 'jwk' }), private_jwk: privateKey.export({ format: 'jwk' }),
    public_pem: publicKey.export({ format: 'pem', type: 'spki' }), private_pem: privateKey.export({ format: 'pem', type: 'pkcs8' }),
  }
  if (c.alg.startsWith('RS')) a.keys.private_pem = privateKey.export({ format: 'pem', type: 'pkcs1' })
  if (c.alg.startsWith('ES')) a.keys.private_pem = privateKey.export({ format: 'pem', type: 'sec1' })
  a.token = sign(privateKey, c.alg, 'theirs')
  return a
})))

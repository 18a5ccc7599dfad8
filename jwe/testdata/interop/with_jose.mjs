// Decrypts and encrypts with jose. See interop_test.go for what goes in and out.
import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
globalThis.crypto ??= webcrypto // Node 18
const jose = await import(pathToFileURL(process.argv[2]))

const { plaintext, cases } = JSON.parse(readFileSync(0, 'utf8'))
const outcome = async (f) => { try { return await f() } catch (e) { return `refused: ${e.message}` } }
const open = (text, key, c) => outcome(async () => {
  const options = { keyManagementAlgorithms: [c.alg], contentEncryptionAlgorithms: [c.enc], maxPBES2Count: 1200000 }
  const m = text.startsWith('{') ? await jose.generalDecrypt(JSON.parse(text), key, options) : await jose.compactDecrypt(text, key, options)
  return new TextDecoder().decode(m.plaintext)
})

const answers = []
for (const c of cases) {
  const importing = c.alg === 'dir' ? c.enc : c.alg
  const priv = c.password ? new TextEncoder().encode(c.password) : await jose.importJWK(c.private_jwk, importing)
  const pub = c.public_jwk ? await jose.importJWK(c.public_jwk, importing) : priv
  const a = { decrypted: await open(c.text, priv, c), tampered: await open(c.tampered, priv, c) }
  if (c.json) a.json = await open(c.json, priv, c)
  const encrypt = new jose.CompactEncrypt(new TextEncoder().encode(plaintext)).setProtectedHeader({ alg: c.alg, enc: c.enc, kid: c.kid })
  if (c.password) encrypt.setKeyManagementParameters({ p2c: 10000 })
  a.text = await outcome(() => encrypt.encrypt(pub))
  answers.push(a)
}
console.log(JSON.stringify(answers))

// The task list of whoever is logged in: Express, and jose with the issuer's keys.
import express from 'express'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const issuer = process.env.ISSUER ?? 'http://127.0.0.1:8080'
const audience = process.env.AUDIENCE ?? 'https://tasks.example'
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))

// What says that a token is bad; anything else says that the keys cannot be had.
const bad = [
  errors.JWSInvalid, errors.JWTInvalid, errors.JWTExpired, errors.JWTClaimValidationFailed, errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported, errors.JWSSignatureVerificationFailed, errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys,
]

// guarded lets a request pass whose token is good, and holds one of the roles.
const guarded = (...roles) => async (req, res, next) => {
  res.set('Cache-Control', 'no-store')
  const [, token] = /^Bearer +([^ ]+)$/i.exec(req.get('Authorization') ?? '') ?? []
  if (!token) return res.set('WWW-Authenticate', 'Bearer').status(401).json({ status: 401 })
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ['ES256'],
      typ: 'at+jwt',
      requiredClaims: ['exp', 'sub'],
      clockTolerance: 30,
    })
    req.token = payload
  } catch (error) {
    console.warn(`token refused: ${error.message}`) // the caller is not told
    if (!bad.some((kind) => error instanceof kind)) return res.set('Retry-After', '5').status(503).json({ status: 503 })
    return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').status(401).json({ status: 401 })
  }
  if (roles.length > 0 && !roles.some((role) => req.token.roles?.includes(role))) {
    return res.set('WWW-Authenticate', 'Bearer error="insufficient_scope"').status(403).json({ status: 403 })
  }
  next()
}

const app = express()
const tasks = new Map() // by id; in memory, for one process
let last = 0

app.get('/tasks', guarded(), (req, res) => {
  res.json([...tasks.values()].filter((task) => task.owner === req.token.sub))
})

app.post('/tasks', guarded('editor', 'admin'), express.json({ limit: 4096 }), (req, res) => {
  const title = req.body?.title
  if (typeof title !== 'string' || title === '') return res.status(400).json({ error: 'the body must be {"title":"…"}' })
  if (tasks.size >= 10_000) return res.status(409).json({ error: 'too many tasks: delete some first' })
  const task = { id: ++last, owner: req.token.sub, title }
  tasks.set(task.id, task)
  res.status(201).json(task)
})

app.delete('/tasks/:id', guarded('editor', 'admin'), (req, res) => {
  const id = Number(req.params.id)
  if (tasks.get(id)?.owner !== req.token.sub) return res.status(404).json({ error: 'no such task' }) // nor another person's
  tasks.delete(id)
  res.status(204).end()
})

app.use((error, req, res, next) => {
  const status = error.status ?? 500
  if (status === 500) console.error(error)
  res.status(status).json({ status })
})

app.disable('x-powered-by')
const [host, port] = (process.env.ADDR ?? '127.0.0.1:3001').split(':')
app.listen(Number(port), host, (error) => {
  if (error) throw error
  console.log(`serving tasks on http://${host}:${port}`)
})

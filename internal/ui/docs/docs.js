// Shows openapi.json with Swagger UI, and signs the webhooks that are tried out.
'use strict';

const secret = document.getElementById('secret');
const state = document.getElementById('signing-state');

// Browsers have WebCrypto on https and on this machine only.
if (!window.crypto.subtle) {
  secret.disabled = true;
  state.textContent = 'Signing needs https, or http on localhost.';
}
document.getElementById('signing').addEventListener('submit', (event) => event.preventDefault());

const encoder = new TextEncoder();

// hmac returns the sum of a text under a key, both of which may be bytes.
async function hmac(hash, key, text) {
  const bytes = typeof key === 'string' ? encoder.encode(key) : key;
  const imported = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encoder.encode(text)));
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// signers return the headers that each path's sender would send. Twilio's signs
// PUBLIC_URL, which only the api knows.
const signers = {
  '/webhook': async (key, body) => ({ 'X-Signature': hex(await hmac('SHA-256', key, body)) }),
  '/webhook/whatsapp': async (key, body) => ({ 'X-Hub-Signature-256': `sha256=${hex(await hmac('SHA-256', key, body))}` }),
  '/webhook/standard': async (key, body, headers) => {
    const id = headers['webhook-id'] || `try_${crypto.randomUUID()}`;
    const at = headers['webhook-timestamp'] || String(Math.floor(Date.now() / 1000));
    const sum = await hmac('SHA-256', unbase64(key.replace(/^whsec_/, '')), `${id}.${at}.${body}`);
    return { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${base64(sum)}` };
  },
};

// sign leaves alone what carries a signature already, so that a wrong one can be tried.
async function sign(request) {
  const signer = signers[new URL(request.url, location.href).pathname];
  const isSigned = Object.keys(request.headers).some((name) => /signature/i.test(name));
  if (signer && request.method === 'POST' && secret.value && !isSigned) {
    Object.assign(request.headers, await signer(secret.value, request.body ?? '', request.headers));
  }
  return request;
}

SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  validatorUrl: null, // nobody else hears of this page
  tryItOutEnabled: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  requestInterceptor: sign,
});

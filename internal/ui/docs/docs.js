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

// hexHMAC is X-Signature: HMAC-SHA256 of the body, in lower-case hexadecimal digits.
async function hexHMAC(key, body) {
  const encoder = new TextEncoder();
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', encoder.encode(key), algorithm, false, ['sign']);
  const digest = await crypto.subtle.sign('HMAC', imported, encoder.encode(body));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// sign leaves alone what carries a signature already, so that a wrong one can be tried.
async function sign(request) {
  const path = new URL(request.url, location.href).pathname;
  const signed = Object.keys(request.headers).some((name) => /signature/i.test(name));
  if (path === '/webhook' && request.method === 'POST' && secret.value && !signed) {
    request.headers['X-Signature'] = await hexHMAC(secret.value, request.body ?? '');
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

package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/internal/operator"
	"sluice/internal/ui"
	"sluice/pkg/contract"
)

// errCrossSite is what became of a change that another site's page asked for with
// the operator's cookie.
var errCrossSite = errors.New("another site may not ask for this")

// guard wraps the handlers. What operators read is theirs alone when they have a
// token, and no other site's in any case: no page may frame it, guess its type or
// keep it.
func (s *Server) guard(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if isPublic(rawPath(c)) {
			next(c)
			return
		}
		setSecurityHeaders(&c.Response.Header)
		if err := s.admit(c); err != nil {
			s.turnStrangerAway(c, err)
			return
		}
		next(c)
	}
}

// isPublic reports whether a path is for senders and balancers, who have no token.
func isPublic(path []byte) bool {
	for _, prefix := range []string{contract.PathWebhook, contract.PathHealth} {
		if rest, ok := bytes.CutPrefix(path, []byte(prefix)); ok && (len(rest) == 0 || rest[0] == '/') {
			return true
		}
	}
	return false
}

// noPolicy is the Content-Security-Policy of what is no page.
const noPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func setSecurityHeaders(h *fasthttp.ResponseHeader) {
	h.Set(fasthttp.HeaderCacheControl, "no-store")
	h.Set(fasthttp.HeaderContentSecurityPolicy, noPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	h.Set(fasthttp.HeaderXFrameOptions, "DENY")
}

// admit returns nil for operators, and for everybody where there is no token.
func (s *Server) admit(c *fasthttp.RequestCtx) error {
	if s.cfg.Guard == nil || string(rawPath(c)) == contract.PathLogin {
		return nil
	}
	if s.cfg.Guard.IsSession(string(c.Request.Header.Cookie(sessionCookie))) {
		return notCrossSite(c)
	}
	token, ok := bearer(c.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if !ok {
		return operator.ErrStranger
	}
	return s.cfg.Guard.Check(address(c), token)
}

// bearer returns the token of an Authorization header (RFC 6750, section 2.1).
func bearer(header []byte) (token string, ok bool) {
	scheme, token, ok := strings.Cut(string(header), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

func address(c *fasthttp.RequestCtx) netip.Addr {
	a, _ := netip.AddrFromSlice(c.RemoteIP())
	return a
}

// crossSite looks at Sec-Fetch-Site and Origin, which a page cannot forge.
var crossSite = http.NewCrossOriginProtection()

func notCrossSite(c *fasthttp.RequestCtx) error {
	r := &http.Request{Method: string(c.Method()), Host: string(c.Host()), Header: http.Header{}}
	for _, name := range []string{"Sec-Fetch-Site", fasthttp.HeaderOrigin} {
		if value := c.Request.Header.Peek(name); len(value) > 0 {
			r.Header.Set(name, string(value))
		}
	}
	if crossSite.Check(r) != nil {
		return errCrossSite
	}
	return nil
}

// turnStrangerAway answers who is not admitted: a browser with the form.
func (s *Server) turnStrangerAway(c *fasthttp.RequestCtx, err error) {
	if c.IsGet() && acceptsHTML(c) && !errors.Is(err, operator.ErrTooManyGuesses) {
		exchangeOf(c).err = err
		c.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, bearerChallenge)
		c.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
		answerLogin(c, http.StatusUnauthorized, localTarget(c), "")
		return
	}
	s.answerError(c, exchangeOf(c), err)
}

// localTarget is the path and the query of a request.
func localTarget(c *fasthttp.RequestCtx) string {
	target := string(rawPath(c))
	if q := c.URI().QueryString(); len(q) > 0 {
		target += "?" + string(q)
	}
	return target
}

// bearerChallenge tells a client what would be let through.
const bearerChallenge = `Bearer realm="sluice"`

// guessRetryAfter is when a stranger may guess again, in seconds.
var guessRetryAfter = strconv.Itoa(int(operator.GuessEvery.Seconds()))

func acceptsHTML(c *fasthttp.RequestCtx) bool {
	return bytes.Contains(c.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/html"))
}

func answerLogin(c *fasthttp.RequestCtx, status int, next, wrong string) {
	answerPage(c, status, ui.LoginPolicy, ui.Login(next, wrong))
}

// answerPage answers with HTML under a Content-Security-Policy of its own.
func answerPage(c *fasthttp.RequestCtx, status int, policy string, page []byte) {
	c.Response.SetStatusCode(status)
	c.Response.Header.Set(fasthttp.HeaderContentSecurityPolicy, policy)
	c.Response.Header.SetContentType("text/html; charset=utf-8")
	c.Response.SetBodyRaw(page)
}

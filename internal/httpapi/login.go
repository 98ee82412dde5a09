package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/operator"
	"sluice/pkg/contract"
)

// sessionCookie names the cookie that a browser gets for the token.
const sessionCookie = "sluice_session"

// postLogin answers the form: with a session and the way on for the token, with the
// form again for anything else.
func (s *Server) postLogin(c *fiber.Ctx) error {
	if err := notCrossSite(c.Context()); err != nil {
		return err
	}
	body, err := s.readBody(c.Context(), exchangeOf(c.Context()), s.cfg.MaxBodyBytes)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body.bytes))
	body.release()
	if err != nil {
		return errBadRequest
	}
	next := localPath(form.Get("next"))
	switch err := s.cfg.Guard.Check(address(c.Context()), form.Get("token")); {
	case errors.Is(err, operator.ErrTooManyGuesses):
		answerLogin(c.Context(), http.StatusTooManyRequests, next, "Too many wrong tokens came from your address. Wait a minute.")
		return nil
	case err != nil:
		answerLogin(c.Context(), http.StatusUnauthorized, next, "That is not the token.")
		return nil
	}
	setSession(c.Context(), s.cfg.Guard.NewSession(), int(operator.SessionTime.Seconds()))
	return c.Redirect(next, http.StatusSeeOther)
}

// getLogin answers who asks for the form's own address, as whoever reloads it by hand
// does: the page asks for the token if it is not known.
func (s *Server) getLogin(c *fiber.Ctx) error {
	return c.Redirect(contract.PathPage, http.StatusSeeOther)
}

// postLogout forgets the session.
func (s *Server) postLogout(c *fiber.Ctx) error {
	setSession(c.Context(), "", -1)
	return c.Redirect(contract.PathPage, http.StatusSeeOther)
}

// setSession sets the cookie for so many seconds, or takes it back.
func setSession(c *fasthttp.RequestCtx, value string, seconds int) {
	var cookie fasthttp.Cookie
	cookie.SetKey(sessionCookie)
	cookie.SetValue(value)
	cookie.SetPath("/")
	cookie.SetHTTPOnly(true)
	cookie.SetSameSite(fasthttp.CookieSameSiteStrictMode)
	// A proxy that ends TLS says so; who says so without one only harms himself.
	cookie.SetSecure(c.IsTLS() || string(c.Request.Header.Peek(fasthttp.HeaderXForwardedProto)) == "https")
	if seconds > 0 {
		cookie.SetMaxAge(seconds)
	} else {
		cookie.SetExpire(fasthttp.CookieExpireDelete)
	}
	c.Response.Header.SetCookie(&cookie)
}

// localPath keeps a redirect on this server: "//host" and "/\host" leave it.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return contract.PathPage
	}
	return next
}

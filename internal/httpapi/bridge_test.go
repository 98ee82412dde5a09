package httpapi

import (
	"slices"
	"strconv"
	"strings"
)

// Routes returns the statuses of each route, by method and pattern.
func (s *Server) Routes() map[string][]string {
	all := map[string][]string{}
	for _, r := range s.routes.all {
		name := r.method + " " + r.pattern
		all[name] = []string{}
		for _, status := range r.statuses {
			all[name] = append(all[name], strconv.Itoa(status))
		}
	}
	return all
}

// HasRoute reports whether a method has a handler at a target.
func (s *Server) HasRoute(method, target string) bool {
	path, _, _ := strings.Cut(target, "?")
	r := s.routes.find([]byte(path))
	return r != nil && slices.ContainsFunc(s.routes.all, func(other *route) bool {
		return other.pattern == r.pattern && other.method == method
	})
}

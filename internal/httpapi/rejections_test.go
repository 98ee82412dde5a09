package httpapi

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/contract"
)

// In an overload thousands a second are told to come again. They are all counted, and
// do not drive out what operators look for.
func TestRejections_thoseToldToComeAgainDoNotDriveOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rejections
		refuse := func(status int) {
			if r.count(status, time.Now()) {
				r.keep(contract.Rejection{Status: status})
			}
		}
		refuse(http.StatusUnauthorized)
		for range 10 * maxRejections {
			refuse(http.StatusServiceUnavailable)
			time.Sleep(time.Millisecond)
		}
		refuse(http.StatusUnprocessableEntity)
		list := r.list()
		want := []int{422, 503, 503, 401}
		if len(list.Data) != len(want) || list.Total != 10*maxRejections+2 {
			t.Fatalf("%d kept of %d", len(list.Data), list.Total)
		}
		for i, status := range want {
			if got := list.Data[i].Status; got != status {
				t.Errorf("number %d is a %d, want %d", i, got, status)
			}
		}
	})
}

// Package browser looks at the operator's page as a person does: it starts the
// real programs and a real browser, types, clicks, and reads what is painted. What
// the API answers is test/system's business. A machine without Chromium skips
// these tests with a line that begins with NOT PROVEN.
package browser

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sluice/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, func() { chromium.stop() }) }

// patience bounds what a test waits for. It is generous, since machines that run
// tests are slow at times; nothing is asserted about time here.
const patience = time.Minute

// chromium is one browser for all tests, started by the first.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

func init() { chromium.stop = func() {} }

// names of the browser, by system.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// browser returns the context of the running browser, or skips the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := find()
	if path == "" {
		t.Skip("NOT PROVEN: there is no Chromium on this machine (Debian: apt-get install chromium)")
	}
	chromium.once.Do(func() { launch(path) })
	if chromium.err != nil {
		t.Fatalf("start %s: %v", path, chromium.err)
	}
	return chromium.ctx
}

func find() string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func launch(path string) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("hide-scrollbars", true),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which root cannot have
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	chromium.ctx, chromium.stop = ctx, func() { stop(); stopAllocator() }
	chromium.err = chromedp.Do(ctx)
}

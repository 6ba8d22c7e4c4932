package console

import (
	"fmt"
	"testing"
	"time"
)

// TestBrowser_PagesFit opens every page in both colours and two widths, full and empty.
func TestBrowser_PagesFit(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*rig{"full": fullRig(t, 3000, 6*24*time.Hour), "empty": emptyRig(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, r)
			b.open("/console/login")
			b.shoot(name + "-login")
			b.signIn()
			paths := map[string]string{"overview": "/console/?range=7d", "requests": "/console/requests"}
			if name == "full" {
				paths["overview-1h"] = "/console/?range=1h"
				paths["exchange"] = "/console/requests/" + r.fallback(t)
				paths["failed"] = "/console/requests/" + r.first(t, "status=error")
				paths["filtered"] = "/console/requests?status=cut&target=cheap&range=7d"
				paths["wrong"] = "/console/requests/nope"
			}
			for _, width := range []int64{1440, 390} {
				for _, dark := range []bool{false, true} {
					for page, path := range paths {
						b.screen(width, 900, dark)
						b.open(path)
						if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
							t.Errorf("%s is %d pixels wide on a screen of %d", path, wide, width)
						}
						background := eval[string](b, "getComputedStyle(document.body).backgroundColor")
						if want := map[bool]string{false: "rgb(255, 255, 255)", true: "rgb(14, 21, 28)"}[dark]; background != want {
							t.Errorf("%s: background %s, want %s", path, background, want)
						}
						b.shoot(fmt.Sprintf("%s-%s-%d-%v", name, page, width, map[bool]string{false: "light", true: "dark"}[dark]))
					}
				}
			}
			if name == "empty" {
				b.clean()
			}
		})
	}
}

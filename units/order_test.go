package units_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"msup/units"
)

func TestOrderUnit(t *testing.T) {
	for _, tt := range []struct{ after, want string }{
		{units.OrderUnit(units.DefaultProject), "msup.service"},
		{units.OrderUnit("shop"), "msup@shop.service"},
		{"msup@shop.service", "msup@shop.service"},
		{"msup:order.slice", "msup.service"},
		{"msup:shop:order.slice", "msup@shop.service"},
		{"msup-shop:order.slice", ""},
		{"msup:shop.slice", ""},
		{"msup-shop.slice", ""},
		{"postgresql.service", ""},
	} {
		if got := units.SupervisorOf(tt.after); got != tt.want {
			t.Errorf("SupervisorOf(%s) = %q, want %q", tt.after, got, tt.want)
		}
	}
}

// A program is started when what it is ordered after is there, else it would not end before
// the supervisor. That goes when the project does.
func TestOrderIsThereBeforePrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		if got := r.phases(); got != "web RUNNING" || !fake.ordered {
			t.Errorf("got %s, ordered %v", got, fake.ordered)
		}
		r.do(units.Down)
		if err := <-r.done; !errors.Is(err, units.ErrDown) {
			t.Errorf("Run: %v", err)
		}
		if fake.ordered {
			t.Error("left behind")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.orderErr = errors.New("no")
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		if got := r.phases(); got != "web FAILED" || len(fake.started) > 0 {
			t.Errorf("got %s, started %v\n%s", got, fake.started, r.log())
		}
		r.stop()
	})
}

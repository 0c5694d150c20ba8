package logview

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuery(t *testing.T) {
	dir := fakeJournal(t, `cat <<'END'
{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1000001","MESSAGE":"one","MESSAGE_ID":"7d49","_PID":"1"}
{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"2000000","MESSAGE":[119,101,98,255],"UNIT":["a","b"],"MESSAGE_ID":null}
END`)
	q := Query{Matches: []string{"INVOCATION_ID=ab", "+", "X=y"}, Fields: []string{"MESSAGE_ID", "UNIT"}, Since: time.UnixMicro(5), Lines: 3, User: true}
	got, err := q.Run(t.Context())
	want := []Entry{
		{Time: time.UnixMicro(1000001), Message: "one", Fields: map[string]string{"MESSAGE_ID": "7d49"}},
		{Time: time.UnixMicro(2000000), Message: "web\xff", Fields: map[string]string{"MESSAGE_ID": "", "UNIT": "a\nb"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, entries (-want +got):\n%s", err, diff)
	}
	const call = "--output=json --no-pager --all --output-fields=MESSAGE,MESSAGE_ID,UNIT --user --lines=3 --since=@0.000005 INVOCATION_ID=ab + X=y"
	if diff := cmp.Diff([]string{call}, calls(t, dir)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestQueryThatFails(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`echo "Hint: You are currently not seeing messages from other users and the system." >&2`, ErrJournalHidden.Error()},
		{`echo "No journal files were opened due to insufficient permissions." >&2; exit 1`, ErrJournalHidden.Error()},
		{`echo "Failed to open: no   disk" >&2; exit 1`, "cannot read the journal: Failed to open: no disk"},
		{`echo nonsense`, "cannot parse journal entry"},
	} {
		fakeJournal(t, c.script)
		if _, err := (Query{}).Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	fakeJournal(t, `echo '{"MESSAGE":"mine"}'; echo "Hint: You are currently not seeing messages from other users and the system." >&2`)
	if got, err := (Query{}).Run(t.Context()); len(got) != 1 || !errors.Is(err, ErrJournalHidden) {
		t.Errorf("what may be read: %v, %v", got, err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := (Query{}).Run(t.Context()); err == nil || err.Error() != "journalctl is not installed" {
		t.Errorf("without journalctl: %v", err)
	}
}

// The output of one run is asked for by its invocation ID.
func TestLastLinesOfARun(t *testing.T) {
	dir := fakeJournal(t, `echo '{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"last"}'`)
	var got []string
	err := Tail(t.Context(), []Source{{Program: "db", Unit: "msup-db.service", Invocation: "0123"}}, Window{Lines: 2}, func(lines []Line) error {
		for _, l := range lines {
			got = append(got, string(l.Text))
		}
		return nil
	})
	if err != nil || len(got) != 1 || got[0] != "last" || !strings.HasSuffix(calls(t, dir)[0], " _SYSTEMD_UNIT=msup-db.service _SYSTEMD_INVOCATION_ID=0123") {
		t.Errorf("%q, %v, %q", got, err, calls(t, dir))
	}
}

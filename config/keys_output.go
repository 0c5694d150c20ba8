package config

import (
	"time"

	"msup/units"
)

// outputKeys say what becomes of a program's output.
var outputKeys = []Key{
	{
		Section: programSection, Name: "stdout", Kind: Path, Default: toJournal, Allowed: "a path, journal or null", Example: "logs/web.log",
		Doc:   "Where its standard output goes: a file, to which it is appended, beside the journal; journal, only there; null, nowhere. The folder of a file is created. A file with the name of such a word is written ./journal.",
		Other: []string{"stdout_logfile", "StandardOutput", "out_file", "log_location"}, set: setOutput(func(p *units.Program) *string { return &p.Stdout }, toJournal, toNull),
	},
	{
		Section: programSection, Name: "stderr", Kind: Path, Default: toJournal, Allowed: "a path, stdout, journal or null", Example: "stdout",
		Doc:   "The same for its standard error; stdout, where that goes, in the order in which it was written.",
		Other: []string{"stderr_logfile", "StandardError", "error_file"}, set: setOutput(func(p *units.Program) *string { return &p.Stderr }, toStdout, toJournal, toNull),
	},
	{
		Section: programSection, Name: "journal", Kind: Scalar, Default: "true", Allowed: boolWords, Example: "false",
		Doc: "Send lines to the journal too; false = only to the files.", set: func(t *target, s setting) error {
			yes, err := parseBool(s.value)
			t.prog.Log.NoJournal = !yes
			return err
		},
	},
	{
		Section: programSection, Name: "journal_rate", Kind: Scalar, Default: "1000", Allowed: "a whole number of lines, 0 = no limit", Example: "100",
		Doc:   "Lines a second that the journal gets, ten times as many in a burst; the rest is counted and only in the files. 0 = no limit.",
		Other: []string{"LogRateLimitBurst", "LogRateLimitIntervalSec"}, set: func(t *target, s setting) error {
			n, err := parseInt(s.value, 0, maxJournalRate)
			t.prog.Log.JournalRate = int(n)
			return err
		},
	},
	{
		Section: programSection, Name: "log_max_size", Kind: Scalar, Default: "50MB", Allowed: logSizeWords + ", at least 4K; 0 = never", Example: "10M",
		Doc:   "Size at which a file becomes FILE.1, FILE.1 becomes FILE.2 and so on, at the end of a line; 0 = only by msup rotate.",
		Other: []string{"stdout_logfile_maxbytes", "stderr_logfile_maxbytes", "max_size", "max-size", "maxsize", "rotate_size"}, set: setMaxSize,
	},
	{
		Section: programSection, Name: "log_backups", Kind: Scalar, Default: "10", Allowed: "a whole number from 0 to 1000", Example: "5",
		Doc:   "Rotated files that are kept.",
		Other: []string{"stdout_logfile_backups", "stderr_logfile_backups", "max_backups", "max-file", "retain"}, set: func(t *target, s setting) error {
			n, err := parseInt(s.value, 0, 1000)
			t.prog.Log.Backups = int(n)
			return err
		},
	},
	{
		Section: programSection, Name: "log_max_age", Kind: Scalar, Unset: "no limit", Allowed: durationWords + ", 0 = no limit", Example: "30d",
		Doc:   "Rotated files older than this are removed; 0 = no limit.",
		Other: []string{"max_age", "maxage", "max_age_days"}, set: func(t *target, s setting) (err error) {
			t.prog.Log.MaxAge, err = parseDuration(s.value, 100*365*24*time.Hour, "a hundred years")
			return err
		},
	},
	{
		Section: programSection, Name: "log_compress", Kind: Scalar, Default: "true", Allowed: boolWords, Example: "false",
		Doc:   "Compress rotated files with gzip, in the background, all but the newest: FILE.2.gz.",
		Other: []string{"compress", "delaycompress"}, set: func(t *target, s setting) (err error) {
			t.prog.Log.Compress, err = parseBool(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "log_total_max", Kind: Scalar, Unset: "no limit", Allowed: logSizeWords + ", 0 = no limit", Example: "200M",
		Doc: "Size of a file and its rotated files together; the oldest are removed. 0 = no limit.", set: logSize(func(l *units.Log) *uint64 { return &l.TotalMax }),
	},
	{
		Section: programSection, Name: "log_min_free", Kind: Scalar, Default: "0", Allowed: logSizeWords, Example: "1G",
		Doc:   "Space that is left free on the file system: files do not grow into it.",
		Other: []string{"min_free", "SystemKeepFree"}, set: logSize(func(l *units.Log) *uint64 { return &l.MinFree }),
	},
	{
		Section: programSection, Name: "log_timestamps", Kind: Scalar, Default: "none", Allowed: "none, rfc3339 or unix", Example: "rfc3339",
		Doc:   "Time before each line in the files: rfc3339, local time to the millisecond; unix, seconds since 1970 to the millisecond.",
		Other: []string{"log_date_format", "add_timestamp", "timestamps", "no_timestamp"}, set: setTimestamps,
	},
	{
		Section: programSection, Name: "log_prefix", Kind: Text, Unset: "none", Allowed: "text", Example: `"web: "`,
		Doc:   "Text before each line in the files, behind the time; in quotes if it ends in a space.",
		Other: []string{"prefix"}, set: func(t *target, s setting) error {
			t.prog.Log.Prefix = s.value
			return nil
		},
	},
	{
		Section: programSection, Name: "log_markers", Kind: Scalar, Default: "false", Allowed: boolWords, Example: "true",
		Doc: "Write a line into the files when the program is started and when it has ended, with the reason.", set: func(t *target, s setting) (err error) {
			t.prog.Log.Markers, err = parseBool(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "log_mode", Kind: Scalar, Unset: "0644", Allowed: "octal digits from 0200 to 0777", Example: "0640",
		Doc:   "File mode of files that are made.",
		Other: []string{"file_mode"}, set: setLogMode,
	},
	{
		Section: programSection, Name: "log_owner", Kind: Text, Unset: "the program's user", Allowed: "USER or USER:GROUP, by name or number", Example: "root:adm",
		Doc: "Owner of files that are made; only for root.", set: setLogOwner,
	},
}

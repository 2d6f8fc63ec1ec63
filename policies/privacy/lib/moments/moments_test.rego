package privacy.lib.moments_test

import data.privacy.lib.moments

test_a_later_moment_lies_ahead if {
	every moment in [
		"2026-06-01T12:00:00.6Z",
		"2026-06-01T12:00:01Z",
		"2026-06-01T14:00:00.500000001+02:00",
		"2026-06-01T10:30:00.6-01:30",
		"2199-12-31T23:59:59Z",
	] {
		moments.ahead(moment) with input.exchange.received_at as "2026-06-01T12:00:00.5Z"
	}
}

test_the_very_moment_and_an_earlier_one_do_not if {
	every moment in [
		"2026-06-01T12:00:00.5Z",
		"2026-06-01T14:00:00.5+02:00",
		"2026-06-01T12:00:00Z",
		"1900-01-01T00:00:00Z",
	] {
		not moments.ahead(moment) with input.exchange.received_at as "2026-06-01T12:00:00.5Z"
	}
}

test_what_engines_read_differently_is_no_moment if {
	every moment in [
		"",
		"2030-01-01",
		"2030-01-01t00:00:00Z",
		"2030-01-01T00:00:00z",
		"2030-01-01 00:00:00Z",
		"2030-01-01T00:00:00,5Z",
		"2030-01-01T00:00:60Z",
		"2030-01-01T24:00:00Z",
		"2030-01-01T1:00:00Z",
		"2030-01-01T00:00:00+24:00",
		"2030-01-01T00:00:00+14:60",
		"2030-01-01T00:00:00\u221202:00",
		"2030-01-01T00:00:00Z\n",
		"2030-01-01T00:00:00.1234567890Z",
		"9999-12-31T23:59:59Z",
		"tomorrow",
	] {
		not moments.ahead(moment) with input.exchange.received_at as "2026-06-01T12:00:00.5Z"
	}
}

test_what_has_no_end_is_open if {
	moments.open(null) with input.exchange.received_at as "2026-06-01T12:00:00Z"
}

test_what_ends_later_is_open_and_what_has_ended_is_not if {
	moments.open("2026-06-01T12:00:01Z") with input.exchange.received_at as "2026-06-01T12:00:00Z"
	not moments.open("2026-06-01T12:00:00Z") with input.exchange.received_at as "2026-06-01T12:00:00Z"
}

test_an_end_of_another_type_is_not_open if {
	every end in [false, true, 0, 9999999999, [], {}] {
		not moments.open(end) with input.exchange.received_at as "2026-06-01T12:00:00Z"
	}
}

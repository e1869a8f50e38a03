"""What `--faults default` means for Alpaca: every kind that a client of it can meet, at the rates of a one-hour proof.

No rate here is the venue's: it publishes none. Each kind comes at least once an hour, given that orders are sent and
filled. A fill that is told late and a stream that is cut at the same moment are together what a client sees as a fill
over a reconnect; a data stream that is cut while nobody more is let in, what it sees as its own zombie.
"""

DEFAULT = """
[[fault]]
kind = "mute"
every_s = 900
for_s = 45
[[fault]]
kind = "close"
every_s = 600
[[fault]]
kind = "close"
at_s = [1200, 2400]
channels = ["trade_updates"]
[[fault]]
kind = "late_fills"
at_s = [1199, 2399]
delay_s = 8
for_s = 5
[[fault]]
kind = "conn_limit"
at_s = [899, 2699]
for_s = 60
[[fault]]
kind = "close"
at_s = [900, 2700]
channels = ["/v1beta3/crypto/us"]
[[fault]]
kind = "close"
at_s = [902, 2702]
channels = ["/v2/iex"]
[[fault]]
kind = "http_429"
every_s = 300
[[fault]]
kind = "http_429"
every_s = 900
requests = ["exchange"]
done = true
[[fault]]
kind = "gateway_504"
every_s = 400
requests = ["exchange"]
[[fault]]
kind = "gateway_504"
every_s = 700
requests = ["order", "replace"]
delay_s = 8
[[fault]]
kind = "timeout_after_accept"
every_s = 500
requests = ["exchange"]
[[fault]]
kind = "lost_before"
every_s = 400
requests = ["exchange"]
[[fault]]
kind = "inner_error"
every_s = 400
requests = ["order", "replace"]
text = "insufficient buying power"
[[fault]]
kind = "garbled"
every_s = 900
[[fault]]
kind = "slow_answer"
every_s = 120
delay_s = 2
[[fault]]
kind = "late_fills"
every_s = 300
delay_s = 3
[[fault]]
kind = "duplicate_fills"
every_s = 120
[[fault]]
kind = "reordered_fills"
every_s = 300
delay_s = 5
[[fault]]
kind = "partial_fills"
every_s = 300
share = 0.0001
for_s = 30
[[fault]]
kind = "replace_race"
every_s = 300
for_s = 30
[[fault]]
kind = "binary_frames"
every_s = 600
for_s = 60
[[fault]]
kind = "mixed_times"
every_s = 600
for_s = 120
[[fault]]
kind = "unknown_status"
every_s = 900
for_s = 10
[[fault]]
kind = "restart"
every_s = 1800
for_s = 20
[[fault]]
kind = "clock_skew"
every_s = 1200
skew_ms = 1500
for_s = 60
"""

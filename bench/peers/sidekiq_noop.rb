# Jobs without work through Sidekiq: pushed in bulk here, done by one worker process with ten threads.
# Prints jobs a second, from the first push until the last is taken. `ruby sidekiq_noop.rb JOBS`, with REDIS_URL.
require "sidekiq"

# Debian's Sidekiq speaks to Debian's Redis client in a way that the latter calls old at each call.
Redis.silence_deprecations = true

class Noop
  include Sidekiq::Worker
  sidekiq_options retry: false

  def perform; end
end

PUSHED_AT_ONCE = 1_000
# More threads only wait for each other: Ruby runs one at a time.
THREADS = 10

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def measure(jobs)
  began = now
  jobs.times.each_slice(PUSHED_AT_ONCE) do |few|
    Sidekiq::Client.push_bulk("class" => Noop, "args" => [[]] * few.size)
  end
  sleep 0.002 until Sidekiq.redis { |redis| redis.llen("queue:default") }.zero?
  jobs / (now - began)
end

if $PROGRAM_NAME == __FILE__
  worker = spawn("sidekiq", "-r", File.expand_path(__FILE__), "-c", THREADS.to_s, "-e", "production", out: File::NULL)
  begin
    # A tenth goes by first: the worker has started and is warm then.
    measure([ARGV[0].to_i / 10, 1].max)
    puts measure(ARGV[0].to_i)
  ensure
    Process.kill("TERM", worker)
    Process.wait(worker)
  end
end

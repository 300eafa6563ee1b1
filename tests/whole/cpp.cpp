// What C++ has of threads.

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static std::atomic<int> n_destroyed;

struct Local {
    std::string text = "a text that is longer than a short string may be";
    ~Local() { n_destroyed += text.size() > 20; }
};

static thread_local Local local;

static int thrower(int depth) {
    std::string held(100, 'x');
    if (depth == 0) {
        std::this_thread::sleep_for(1us);
        throw std::runtime_error("deep");
    }
    return thrower(depth - 1) + static_cast<int>(held.size());
}

static void exceptions() {
    std::atomic<int> n_caught = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 50; i++)
        threads.emplace_back([&, i] {
            local.text += 'x';
            for (int k = 0; k < 20; k++)
                try {
                    thrower(i % 7);
                } catch (const std::runtime_error &) {
                    // It waits while it has an exception at hand.
                    std::this_thread::sleep_for(1us);
                    try {
                        throw;
                    } catch (const std::exception &again) {
                        n_caught += again.what() == std::string("deep");
                    }
                }
        });
    for (auto &thread : threads)
        thread.join();
    std::printf("caught: %d, destroyed: %d\n", n_caught.load(), n_destroyed.load());
}

static void futures() {
    std::vector<std::future<int>> results;
    for (int i = 0; i < 50; i++)
        results.push_back(std::async(std::launch::async, [i] {
            std::this_thread::sleep_for(1ms);
            if (i == 7)
                throw std::logic_error("seven");
            return i;
        }));
    int sum = 0, n_thrown = 0;
    for (auto &result : results)
        try {
            sum += result.get();
        } catch (const std::logic_error &) {
            n_thrown++;
        }
    std::promise<std::string> promise;
    auto said = promise.get_future();
    std::jthread sayer([&] { promise.set_value_at_thread_exit("at the end"); });
    std::printf("sum: %d, thrown: %d, said: %s\n", sum, n_thrown, said.get().c_str());
    std::promise<void> never;
    auto status = never.get_future().wait_for(2ms);
    std::printf("timeout: %d\n", status == std::future_status::timeout);
}

static void waiting() {
    std::atomic<int> turn = 0;
    std::barrier rounds(4);
    std::latch done(4);
    std::counting_semaphore<10> places(2);
    std::shared_timed_mutex shared;
    std::recursive_timed_mutex recursive;
    std::once_flag once;
    int n_once = 0, n_written = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back([&, i] {
                for (int k = 0; k < 200; k++) {
                    for (int seen; (seen = turn.load()) % 4 != i;)
                        turn.wait(seen);
                    turn.fetch_add(1);
                    turn.notify_all();
                }
                for (int k = 0; k < 50; k++) {
                    rounds.arrive_and_wait();
                    places.acquire();
                    std::call_once(once, [&] { n_once++; });
                    if (std::scoped_lock lock(recursive, shared); true)
                        n_written++;
                    std::shared_lock reading(shared);
                    places.release();
                }
                done.count_down();
            });
        done.wait();
    }
    std::printf("turns: %d, once: %d, written: %d\n", turn.load(), n_once, n_written);
    std::printf("no place: %d\n", !std::counting_semaphore<1>(0).try_acquire_for(2ms));
}

static void stopping() {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::atomic<int> n_stopped = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 20; i++)
            threads.emplace_back([&](std::stop_token stop) {
                std::unique_lock lock(mutex);
                n_stopped += !changed.wait(lock, stop, [] { return false; });
            });
    }
    std::printf("stopped: %d\n", n_stopped.load());
    std::condition_variable early;
    std::unique_lock lock(mutex);
    std::printf("in time: %d\n", early.wait_until(lock, std::chrono::steady_clock::now() + 2ms, [] { return false; }));
}

int main() {
    exceptions();
    futures();
    waiting();
    stopping();
}

// RealShard: a thread that runs an epoll loop (Asio's) with its own queue of posted work and its own timers.
#pragma once

#include <memory>

#include "runtime/shard.h"

namespace boost::asio {
class io_context;
}

namespace millrace::real {

struct Process;

class RealShard final : public Shard {
 public:
  RealShard(int id, Process& process);
  ~RealShard() override;

  // The calling thread becomes the shard until stop(), which any thread may call.
  void run();
  void stop();

  int id() const override;
  void post(std::move_only_function<void()> work) override;
  void post_beside(std::move_only_function<void()> work) override;
  Clock& clock() override;
  Disk& disk() override;
  Net& net() override;
  Random& random() override;

  boost::asio::io_context& loop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::real

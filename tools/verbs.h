// The verbs of the binary. Each gets its own name as argv[0], prints its own help, and returns the exit code.
#pragma once

namespace millrace::tools {

int serve_main(int argc, char** argv);
int cat_main(int argc, char** argv);
int topics_main(int argc, char** argv);
int groups_main(int argc, char** argv);
int sql_main(int argc, char** argv);
int dump_log_main(int argc, char** argv);

}  // namespace millrace::tools

//! Layer 2 under loom: the models of `loom/`, a test each.

/// A test for each model.
macro_rules! models {
    ($($module:ident { $($model:ident)* })*) => {$(
        mod $module {
            $(
                #[test]
                fn $model() {
                    insula_tests::models::$module::$model();
                }
            )*
        }
    )*};
}

models! {
    mailbox {
        a_message_wakes_who_waits_for_it
        each_sender_keeps_its_order
        the_last_right_to_go_ends_the_wait
        a_right_in_a_dropped_message_is_released
        a_message_is_delivered_or_refused
        a_waiting_sender_gets_the_room_of_what_is_taken
        a_waiting_sender_learns_of_the_end
        the_room_of_a_notice_is_given_back
    }
    control {
        two_causes_make_one_exit
        a_late_listener_hears_of_the_exit_once
        who_sees_the_exit_sees_all_of_it
        a_resume_wakes_the_paused
        a_ping_is_answered_or_given_up
        a_ping_waits_for_the_next_end_of_a_turn
        an_error_comes_before_the_exit
    }
    event {
        what_is_put_down_is_taken_once
        what_is_rare_comes_with_its_entry
    }
}

/// The test of the test: loom finds the mistake.
#[test]
#[should_panic(expected = "deadlock")]
fn a_lost_wake_up_is_found() {
    insula_tests::models::mailbox::a_receiver_that_leaves_no_waker();
}

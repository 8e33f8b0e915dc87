;;; What a user of eglot sees, with the configuration of editors/README.md and no plugin.  -*- lexical-binding: t -*-

;; The configuration, as it stands there.
(with-temp-buffer
  (insert-file-contents (getenv "TEST_README"))
  (re-search-forward "^```elisp\n")
  (let ((begin (point)))
    (re-search-forward "^```$")
    (narrow-to-region begin (match-beginning 0))
    (eval-buffer)))

(defun wait-for (what is)
  "Wait until IS returns non-nil; fail with WHAT when it doesn't."
  (let ((deadline (time-add nil 60)) found)
    (while (not (or (setq found (funcall is)) (time-less-p deadline nil)))
      (accept-process-output nil 0.05))
    (or found (error "Waited in vain: %s" what))))

(find-file "notes.txt")
(apply #'eglot--connect (eglot--guess-contact))
(wait-for "the buffer is managed" (lambda () eglot--managed-mode))
(flymake-mode 1)

;; The gate is asked in the minibuffer.
(let (asked)
  (cl-letf (((symbol-function 'completing-read)
             (lambda (prompt options &rest _)
               (push (cons prompt options) asked)
               "Approve")))
    (baton-run "Say 1")
    (wait-for "the workflow's end"
              (lambda () (equal (plist-get (baton "baton.status") :outcome) "merged"))))
  (let ((question (car (last asked))))
    (message "asked: %s %S" (car question) (cdr question))
    (unless (and (string-match-p "plan.md" (car question)) (member "Approve" (cdr question)))
      (error "The plan was not asked for: %S" asked))))

;; The buffer follows the file, and the review stands at its line.
;; As auto-revert does it: the buffer stays managed.
(revert-buffer t t t)
(unless (string-match-p "1" (buffer-string))
  (error "Nothing was written: %s" (buffer-string)))
(wait-for "the review's issue"
          (lambda ()
            (flymake-start)
            (seq-find (lambda (diagnostic)
                        (string-match-p "It is one too many" (flymake-diagnostic-text diagnostic)))
                      (flymake-diagnostics))))
(let ((diagnostic (car (flymake-diagnostics))))
  (message "line %d, %s: %s"
           (line-number-at-pos (flymake-diagnostic-beg diagnostic))
           (flymake-diagnostic-type diagnostic)
           (flymake-diagnostic-text diagnostic))
  (unless (and (= 2 (line-number-at-pos (flymake-diagnostic-beg diagnostic)))
               (eq 'eglot-warning (flymake-diagnostic-type diagnostic)))
    (error "The issue is not where it belongs")))

;; A command that takes something away asks first.
(dolist (answer '("Cancel" "Undo"))
  (let (asked)
    (cl-letf (((symbol-function 'completing-read)
               (lambda (prompt options &rest _)
                 (push (cons prompt options) asked)
                 answer)))
      ;; The status has the outcome a moment before the run is over.
      (wait-for "the end of the run" (lambda () (ignore-errors (baton "baton.rollback"))))
      (wait-for "the question" (lambda () asked))
      (unless (and (string-match-p "notes.txt: restored" (caar asked)) (equal (cdar asked) '("Cancel" "Undo")))
        (error "The question is another one: %S" asked))
      (let ((file (lambda () (with-temp-buffer (insert-file-contents "notes.txt") (buffer-string)))))
        (if (equal answer "Undo")
            (wait-for "the undo" (lambda () (string-match-p "Say 0" (funcall file))))
          (baton "baton.status")
          (unless (string-match-p "Say 1" (funcall file))
            (error "It was undone although the answer was no")))))))

(eglot-shutdown (eglot--current-server-or-lose))
(message "all is well")
